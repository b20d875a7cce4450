"""The decision: plain data that the proxy obeys and the audit log keeps."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from .reason import Reason


class Principal(NamedTuple):
    """Who a token was issued to, by its verified claims. Of a token request: the client that asks, and no more.

    ``tenant``, ``object_id``: of a token of Entra ID, whose ``client_id`` is the application id. ``azure_resource``: the
    workspace for which a second token came along, which is the same one's.
    """

    issuer: str | None
    client_id: str | None
    sub: str | None
    tenant: str | None = None
    object_id: str | None = None
    azure_resource: str | None = None


class Decision(NamedTuple):
    """The answer to one request.

    ``allow`` is the verdict. ``enforced`` is False only for a denial that ``monitor`` mode lets go on.
    ``detail`` is one sentence for people and holds no secret. Names that do not apply are None. ``operation``: what was
    called, by the catalogue. ``params``: the parameters that rules looked at, as the objects that they name (untrusted);
    None for one that the call lacks. ``sent``: those of them that the call spells in another way. ``readings``: all
    readings of the call in words, the one that decided first; None where there is one only. ``names``: of all parameters,
    where a rule looked at them. ``principal``: what verified claims, or a token request, say about who it is. ``grant``:
    of a token request. ``host_workspace``: of ``Directory.workspace_of``, where it was asked. ``batch``: where the body
    holds several calls, the operations of all, None for an unknown one; ``operation`` is then the one that decided, and
    ``params`` has a list of each. ``ids``: of JSON-RPC requests in the body, each of which waits for an answer.
    ``credential``: the call came with a placeholder, and may be sent only with the credential of this name in its place.
    ``entry``: which entry of its list decided (``deny`` for DENIED_BY_RULE, else ``allow``), -1 where no rule did.
    ``reading``: which of the request's readings decided.
    """

    allow: bool
    reason: Reason
    detail: str
    enforced: bool = True
    mode: str = "enforce"
    subject: str | None = None
    fingerprint: str | None = None
    rule_set: str | None = None
    rule: str | None = None
    policy_revision: str | None = None
    operation: str | None = None
    params: Mapping[str, Any] = {}
    names: Collection[str] | None = None
    principal: Principal | None = None
    grant: str | None = None
    host_workspace: str | None = None
    sent: Mapping[str, Any] = {}
    readings: tuple[str, ...] | None = None
    batch: tuple[str | None, ...] | None = None
    ids: tuple[int | str, ...] = ()
    credential: str | None = None
    entry: int = -1
    reading: int = 0

    @property
    def forwards(self) -> bool:
        """Whether the request is to be sent."""
        return self.allow or not self.enforced


class Refused(Exception):
    """A request that has no single reading, or a destination that is not to be reached: reason and detail."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.principal: Principal | None = None
        """Whose the credential is, where that was verified before the refusal."""

    def decision(self, policy_revision: str | None) -> Decision:
        """The denial that says so. It is enforced in every mode."""
        return Decision(False, self.reason, self.detail, policy_revision=policy_revision)
