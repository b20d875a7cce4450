"""One request in the clear to a host that is not under policy, and its answer.

Framed as strictly as what goes to a workspace, and by the same core: what a host could take for a second request would be
one that nobody has decided on. The connection ends with the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from .admission import Admitted
from .clear import ClearEnd
from .datapath import DataPath
from .ruling import clear_plain
from .tls import End, Owner
from .tunnel import Tunnel, Visitor
from .wire.events import Judge, Ruling


class PlainCall(Tunnel):
    """As ``Tunnel``, without TLS on either side."""

    _is_last = True

    def __init__(self, path: DataPath, client: str, admitted: Admitted, on_end: Callable[[], None]) -> None:
        """``client``: its address. ``admitted``: the request, which comes first of all bytes."""
        self._admitted: Admitted | None = admitted
        target = admitted.target
        super().__init__(path, Visitor(client, target.dialled, target.port, None), on_end)

    def _make_client(self) -> End:
        return ClearEnd(self)

    def _make_host(self, owner: Owner) -> End:
        return ClearEnd(owner)

    def _rule(self, judge: Judge, settled: Collection[str]) -> Ruling:
        """The decision is on record already: for one request, and no other."""
        admitted, self._admitted = self._admitted, None
        assert admitted is not None
        assert admitted.plain is not None
        return clear_plain(judge.head, admitted.plain, admitted.decision_id, admitted.started)
