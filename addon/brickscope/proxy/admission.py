"""Who may use the proxy, and what for: clients by their address and password, targets by the rules about hosts.

Each answer here is on record before anything is done about it. A host under policy gets its tunnel, so that its calls
can be refused with words; every request inside is decided on, and recorded, on its own.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from mitmproxy import connection, ctx
from mitmproxy.addons import proxyauth

from brickscope.core.decision import Decision, Refused
from brickscope.core.reason import Reason
from brickscope.core.rule import METHODS
from brickscope.log.record import printable

from .balancer import Address
from .denial import Asked, answer_bytes, form
from .destination import Side
from .gate import Gate
from .target import NOBODY, Plain, Target, is_connect, named_by, read_connect, read_plain
from .wire.answer import written
from .wire.head import Head

MOST_CLIENTS = 4096
PASSWORD_NEEDED = answer_bytes(
    407,
    b"Proxy Authentication Required",
    b"Brickscope: this proxy asks for a user name and a password.\n",
    (b"proxy-authenticate", b'Basic realm="%b"' % proxyauth.REALM.encode()),
)

_BLOCKED: dict[tuple[str, bool, bool], bool] = {}
"""What mitmproxy's addon has said of a client's address, so that it is asked once, and says it once."""
_ONE = ThreadPoolExecutor(1, "proxyauth")
"""A directory is asked over the network, and a hash of a password takes a tenth of a second: not while others wait. One at
a time, as mitmproxy's are made for that."""

_ASKING: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
"""By the addresses of clients whose passwords are looked at."""


class Admitted(NamedTuple):
    """What may be gone on with. ``side``: of the target. ``plain``: the request, where it is one in the clear.
    ``decision_id``: of its record; empty for a host under policy, whose calls have theirs. ``started``: monotonic."""

    target: Target
    side: Side
    plain: Plain | None
    decision_id: str
    started: float


def is_blocked(client: Address) -> bool:
    """Whether mitmproxy's options ``block_global`` and ``block_private`` keep a client out."""
    options = ctx.options
    key = (client[0], options.block_global, options.block_private)
    blocked = _BLOCKED.get(key)
    if blocked is None:
        asked = connection.Client(peername=client, sockname=("", 0), timestamp_start=0)
        ctx.master.addons.get("block").client_connected(asked)
        if len(_BLOCKED) >= MOST_CLIENTS:
            del _BLOCKED[next(iter(_BLOCKED))]
        blocked = _BLOCKED[key] = asked.error is not None
    return blocked


def asks_password() -> bool:
    """Whether mitmproxy's option ``proxyauth`` is set."""
    return ctx.options.proxyauth is not None


async def has_password(head: Head, client: str) -> bool:
    """Whether a request to the proxy brings what ``proxyauth`` accepts: asked by mitmproxy's own validators. ``client``:
    its address; who has one password looked at has the next one wait, so that nobody can keep all others waiting."""
    validator: Any = ctx.master.addons.get("proxyauth").validator
    values = [value for name, value in head.wire.headers if name.lower() == b"proxy-authorization"]
    if len(values) != 1:
        return False
    try:
        _, user, password = proxyauth.parse_http_basic_auth(values[0].decode("latin-1"))
        async with _ASKING.setdefault(client, asyncio.Lock()):
            accepted = await asyncio.get_running_loop().run_in_executor(_ONE, validator, user, password)
    except Exception:  # whatever a validator raises, it has not accepted
        return False
    return accepted is True


def admit(gate: Gate, head: Head, client: str) -> Admitted | bytes:
    """Decide on what the first request of a connection asks for. Bytes: the answer to one that is refused."""
    started = time.monotonic()
    target, plain, side = NOBODY, None, Side.OTHER
    is_tunnel = is_connect(head)
    try:
        if is_tunnel:
            if head.wire.method != b"CONNECT":
                target = named_by(head)
                raise Refused(Reason.METHOD_NOT_CANONICAL, "CONNECT is written in capital letters")
            target = read_connect(head)
            side = gate.destinations.classify(target.host, target.port)
        else:
            target = named_by(head)
            plain = read_plain(head, gate.destinations)
        decision = Decision(
            True,
            Reason.OTHER_HOST,
            f"the host is not under policy; {'its bytes pass' if is_tunnel else 'plain HTTP passes'} untouched",
            policy_revision=gate.policy.revision,
        )
    except Refused as refused:
        decision = refused.decision(gate.policy.revision)
    if side is Side.WORKSPACE:
        return Admitted(target, side, None, "", started)
    try:
        decision_id = gate.record_tunnel(decision, client, target.host, target.port)
    except Exception as error:
        decision, decision_id = gate.unrecorded(error), "none"
        gate.tally.tunnelled(decision)
    if decision.allow:
        return Admitted(target, side, plain, decision_id, started)
    shown = printable(target.host)[:256]
    method = head.wire.method.decode("latin-1")
    if method not in METHODS:
        method = "CONNECT" if is_tunnel else "HTTP"
    asked = Asked(method, f"{shown}:{target.port}", shown)
    return written(form(decision, decision_id, asked, head=head.is_head, close=True))
