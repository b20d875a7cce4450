"""Judging a call for a subject by name, with the very decision function of the proxy. No rule is applied here."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from brickscope.core.decide import decide, decide_for
from brickscope.core.decision import Decision, Refused
from brickscope.core.directory import Directory
from brickscope.core.grant import is_token_request
from brickscope.core.jwt_token import Claims
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Login, Policy, Subject
from brickscope.core.reason import Reason
from brickscope.core.token_request import decide_grant
from brickscope.policy.problem import nearest

from .call import EXAMPLE_HOST, Call, Home
from .sent import CallError
from .shown import quoted

ANYWHERE = "192.0.2.1"
"""The client's address where a subject may act from any (RFC 5737: nobody's)."""

GROUPS = {
    "token": ("tokens", "fingerprint"),
    "service principal": ("service_principals", "client_id"),
    "user": ("users", "sub"),
    "login": ("logins", "client_id"),
}
"""Where the policy has somebody of a kind, and the key of the mark by which it is known."""


class Known(NamedTuple):
    """Somebody the policy names. ``kind``: ``token``, ``service principal``, ``user`` or ``login``.

    ``marks``: by which it is known: fingerprints, client id or login name; none for a login without client.
    """

    name: str
    kind: str
    subject: Subject | Login
    marks: tuple[str, ...] = ()

    @property
    def rule_set(self) -> str | None:
        """The name of its rule set; None for a login, which makes no calls."""
        return self.subject.rule_set.name if isinstance(self.subject, Subject) else None


def known(policy: Policy) -> dict[str, Known]:
    """Everybody the policy names, by name."""
    found: dict[str, Known] = {}
    for mark, subject in policy.tokens.items():
        before = found.get(subject.name)
        marks = (mark,) if before is None else (*before.marks, mark)
        found[subject.name] = Known(subject.name, "token", subject, marks)
    principals = policy.principals
    for kind, group in (("service principal", principals.service_principals), ("user", principals.users)):
        for mark, subject in group.items():
            found[subject.name] = Known(subject.name, kind, subject, (mark,))
    for key, subject in principals.entra.items():
        marks = (*(found[subject.name].marks if subject.name in found else ()), str(key))
        found[subject.name] = Known(
            subject.name, "user" if key.is_user else "service principal", subject, marks
        )
    for login in principals.logins:
        marks = () if login.client_id is None else (login.client_id,)
        found[login.name] = Known(login.name, "login", login, marks)
    return found


def find(policy: Policy, name: str) -> Known:
    """Who has this name. Raises CallError with the nearest one."""
    everybody = known(policy)
    if name not in everybody:
        raise CallError(
            f"the policy names nobody {quoted(name)}",
            nearest(name[:64], everybody) or f"it names {', '.join(sorted(everybody)[:10])}",
        )
    return everybody[name]


def home(who: Known) -> Home:
    """Where the calls of somebody go unless they say so: the first workspace it is bound to."""
    workspaces = sorted(who.subject.workspaces or (EXAMPLE_HOST,))
    host, _, chosen = workspaces[0].partition("?o=")
    client_id = who.marks[0] if who.marks and who.kind in ("service principal", "login") else None
    return Home(host, chosen or None, client_id)


def address(who: Known) -> str:
    """An address from which somebody may act."""
    networks = who.subject.clients
    if not networks:
        return ANYWHERE
    first = networks[0]
    return str(first[1] if first.num_addresses > 2 else first[0])


class Told:
    """A directory that has been told which workspace each host serves, and verifies no token."""

    def __init__(self, workspaces: Mapping[str, str | None]) -> None:
        self._workspaces = workspaces

    def verify(self, *_given: Any, **_named: Any) -> Claims:
        """Nobody's token is verified here. Raises Refused."""
        raise Refused(Reason.KEY_SET_UNAVAILABLE, "no token is verified here")

    def workspace_of(self, host: str, now: float) -> str | None:
        """The workspace that was told for a host."""
        return self._workspaces.get(host)


def judge(
    policy: Policy,
    who: Known,
    call: Call,
    now: float,
    client_address: str | None = None,
    directory: Directory | None = None,
    *,
    knows_body: bool = True,
) -> Decision:
    """Decide on a call of somebody the policy names. Nothing else here asks the decision function.

    ``now``: seconds since the epoch, UTC. ``client_address``: None for one that it may act from. ``directory``: who knows
    the workspace of a host. ``knows_body``: whether the call's body is all that was in it.

    Raises CallError for a call of a login, which can only ask for tokens; BodyNeeded for one whose body nobody knows.
    """
    request, subject = call.request, who.subject
    if isinstance(request, Refused):
        return request.decision(policy.revision)
    client = address(who) if client_address is None else client_address
    if call.asked is not None:
        return decide_grant(policy, call.asked, request, client, now, directory)
    if is_token_request(request):
        return decide(policy, request, client, now, directory, call.body)
    if isinstance(subject, Login):
        raise CallError(f"{who.name!r} is a login, which makes no calls", "oidc.token grant=browser_login")
    mark = who.marks[0] if who.kind == "token" else None
    try:
        # Asked as the proxy asks: a body is read only where a rule needs it, and whatever it is no matter otherwise.
        return decide_for(policy, subject, request, client, now, directory, None, mark)
    except BodyNeeded:
        if not knows_body:
            raise
        return decide_for(policy, subject, request, client, now, directory, call.body, mark)


class Witness(NamedTuple):
    """A call that shows a claim about a policy: made only of one that the decision function let go on.

    ``subject``: for whom it was asked, None for a rule set nobody has. ``operation``: what it was. ``rule``: what allows
    it, and ``entry``: which under ``allow``; none where a grant does, or monitor mode lets it go on. Of two policies:
    ``client``, its address; ``now``, when (seconds since the epoch); ``before``, why the old one denied it."""

    subject: str | None
    call: Call
    operation: str | None
    rule: str | None
    client: str = ""
    now: float = 0.0
    before: str = ""
    entry: int = -1

    @property
    def method(self) -> str:
        """Of the request."""
        return self.call.known.method

    @property
    def url(self) -> str:
        """With host and query."""
        return self.call.url

    @property
    def body(self) -> str:
        """As it would be sent, empty for none."""
        return self.call.body.decode()
