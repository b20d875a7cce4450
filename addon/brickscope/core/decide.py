"""The decision: a pure function of policy, request, client and time, and of what the directory knows."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

from .body import MAX_BODY
from .credential import read_token
from .decision import Decision, Principal, Refused
from .directory import Directory
from .discovery import is_open
from .fingerprint import fingerprint
from .form import MAX_FORM
from .grant import TokenRequest, check_endpoint, find_clients, is_token_request, read_token_request
from .operation import OperationRule, OperationRules, judge, needs_body
from .parameters import HeldBody, Parameters, read_parameters
from .path import APP, Reading
from .pending import BodyNeeded
from .policy import Login, Mode, Policy, RuleSet, Subject
from .principal import find_principal
from .reason import Kind, Reason
from .request import ApiRequest
from .rule import Rule
from .template import Literal

# Looked up once: a decision has a budget of microseconds.
_ALLOWED, _ENFORCE = Reason.ALLOWED_BY_RULE, Mode.ENFORCE
_APP, _APP_NAME = (APP,), ("app",)
# Second character of every path of `discovery.py` and `grant.py` (/oidc in any case, /.well-known).
_APART = frozenset("oO.%")
PLAIN = "as it stands"
"""The plain reading of a path, in words."""
_TOKEN_OPERATION = "oidc.token"  # noqa: S105 - the catalogue's name for it


def decide(
    policy: Policy,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None = None,
    body: bytes | None = None,
) -> Decision:
    """Decide on a request.

    ``client_address``: the peer's IP address as the proxy saw it. ``now``: seconds since the epoch, UTC.
    ``directory``: who verifies OAuth tokens; without one they are denied. ``body``: the request's, where it was held.

    Raises NotYetKnown or BodyNeeded where something has to be had before there is an answer, and nothing else,
    whatever a client sends; every way out that is not a matching rule or grant is a denial.
    """
    if request.path[1:2] in _APART or not request.readings:
        if is_open(request):
            return _open(policy, request)
        if is_token_request(request):
            return _decide_token_request(policy, request, client_address, now, directory, body)
    name: str | None = None
    principal: Principal | None = None
    try:
        token = read_token(request.authorization)
        name = fingerprint(token)
        subject = policy.tokens.get(name)
        if subject is None:
            subject, principal = find_principal(policy, token, name, request.host, now, directory)
    except Refused as refused:
        return decide_stranger(policy, refused, name)
    return decide_for(policy, subject, request, client_address, now, directory, body, name, principal)


class _Facts:
    """What the rules looked at in one reading of a call. ``told``: of a body of JSON-RPC, as ``Decision`` has it: the
    operation that decided, those of a batch, the ids of its requests."""

    __slots__ = ("names", "params", "sent", "told")

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.sent: dict[str, Any] = {}
        self.names: frozenset[str] | None = None
        self.told: tuple[str | None, tuple[str | None, ...] | None, tuple[int | str, ...]] | None = None


_NOTHING = _Facts()
"""Where no rule looked at anything; never changed."""
_Answer = tuple[Reason, str, str | None, _Facts]
"""Reason, detail, the rule that decided as the operator wrote it, and what rules looked at."""


class _Outcome(NamedTuple):
    """What the rules say of one reading. ``called``: its operation, by the catalogue."""

    reason: Reason
    detail: str
    rule: str | None
    facts: _Facts
    called: Rule | None
    reading: Reading | None


def decide_for(
    policy: Policy,
    subject: Subject,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None = None,
    body: bytes | None = None,
    fingerprint: str | None = None,
    principal: Principal | None = None,
) -> Decision:
    """Decide on a request of a subject that is known already. As ``decide`` otherwise; also what explain, test and replay
    ask, so that they can't say anything else than the proxy does.

    ``fingerprint``, ``principal``: by what it is known, for the record.
    """
    rule_set = subject.rule_set
    unbound, home = None, None
    if subject.workspaces is not None or subject.clients is not None or subject.expires is not None:
        unbound, home = _unbound(subject, request, client_address, now, directory)
    readings, several = request.readings, None
    if len(readings) == 1 and unbound is None and request.flaw is None:
        # Nearly all calls: one reading, and nothing but the rules has a say.
        called = policy.catalogue.match(request.method, readings[0].route)
        held = None if body is None else HeldBody(request, body)
        try:
            reason, detail, rule, facts = _match(policy, subject, request, readings[0], called, held)
        except Refused as refused:
            reason, detail, rule, facts = refused.reason, refused.detail, None, _NOTHING
    else:
        reason, detail, rule, facts, called, decided = _judge(policy, subject, request, body, unbound)
        several = _told(readings, decided) if len(readings) > 1 else None
    operation = None if called is None or called.messages else called.text
    batch: tuple[str | None, ...] | None = None
    ids: tuple[int | str, ...] = ()
    if facts.told is not None:
        operation, batch, ids = facts.told
    allow = reason is _ALLOWED
    mode = subject.mode or rule_set.mode or policy.mode
    return Decision(
        allow,
        reason,
        detail,
        # What left unknown whose the call is, or where it goes, was refused before, in every mode.
        allow or mode is _ENFORCE,
        mode._value_,
        subject.name,
        fingerprint,
        rule_set.name,
        rule,
        policy.revision,
        operation,
        facts.params,
        facts.names,
        principal,
        None,
        home,
        facts.sent,
        several,
        batch,
        ids,
    )


def _told(readings: tuple[Reading, ...], decided: Reading | None) -> tuple[str, ...]:
    """All readings of a call in words, the one that decided first."""
    first = [] if decided is None else [decided.how or PLAIN]
    return (*first, *(each.how or PLAIN for each in readings if each is not decided))


def _judge(
    policy: Policy, subject: Subject, request: ApiRequest, body: bytes | None, unbound: _Answer | None
) -> _Outcome:
    """What the rules say of a call: allowed if they allow each of its readings, denied if a deny meets any."""
    readings = request.readings
    if not readings:
        assert request.flaw is not None
        return _Outcome(*(unbound or (request.flaw.reason, request.flaw.detail, None, _NOTHING)), None, None)
    held = None if body is None else HeldBody(request, body)
    outcomes = []
    for reading in readings:
        found = _judge_reading(policy, subject, request, reading, held, unbound)
        if found.reason is Reason.DENIED_BY_RULE:
            return found
        outcomes.append(found)
    # What a plain server reads; that one may take an encoded colon for a verb's, or as it is sent, for a name's.
    plain = [
        each
        for each in outcomes
        if each.reading is not None
        and (each.reading.segments, each.reading.query) == (readings[0].segments, readings[0].query)
    ]
    found = next((each for each in plain if each.reason is _ALLOWED), outcomes[0])
    for other in outcomes:
        if other.reason is not _ALLOWED and not _is_covered(subject.rule_set, request.method, found, other):
            return other
    return found


_NOT_ALLOWED = frozenset({Reason.NO_RULE_MATCHES, Reason.UNKNOWN_OPERATION, Reason.CONSTRAINT_NOT_MET})


def _is_covered(rule_set: RuleSet, method: str, allowed: _Outcome, other: _Outcome) -> bool:
    """Whether a reading that is not allowed is only what a name with separators in it looks like to a server that does not
    know names: a rule by name allows the call, all in which the reading differs is the value of variables that the
    catalogue marks as encoded, it meets no deny, and it is no known operation of another name."""
    called, first, second = allowed.called, allowed.reading, other.reading
    if (
        allowed.reason is not _ALLOWED
        or called is None
        or not called.encoded
        or first is None
        or second is None
    ):
        return False
    if rule_set.allow.match(method, first.segments, first.route) is not None:
        return False  # a rule by path allows it, which knows nothing of names
    if other.reason not in _NOT_ALLOWED or (other.called is not None and other.called.text != called.text):
        return False
    parts = called.template.segments
    marked = [
        at for at, part in enumerate(parts) if not isinstance(part, Literal) and part.name in called.encoded
    ]
    before, after = marked[0], len(parts) - marked[-1] - 1
    if second.route[:before] != first.route[:before]:
        return False
    is_cut = len(second.route) <= marked[-1] + 1
    return is_cut or not after or second.route[-after:] == first.route[-after:]


def _judge_reading(
    policy: Policy,
    subject: Subject,
    request: ApiRequest,
    reading: Reading,
    held: HeldBody | None,
    unbound: _Answer | None,
) -> _Outcome:
    called = policy.catalogue.match(request.method, reading.route)
    try:
        if unbound is not None:
            answer = unbound
        elif request.flaw is not None:
            raise request.flaw
        else:
            answer = _match(policy, subject, request, reading, called, held)
    except Refused as refused:
        answer = (refused.reason, refused.detail, None, _NOTHING)
    return _Outcome(*answer, called, reading)


def _open(policy: Policy, request: ApiRequest) -> Decision:
    called = policy.catalogue.match("GET", request.segments)
    return Decision(
        True,
        Reason.ALLOWED_WITHOUT_CREDENTIAL,
        "the call carries no credential by nature",
        mode=policy.mode.value,
        policy_revision=policy.revision,
        operation=None if called is None else called.text,
    )


def _decide_token_request(
    policy: Policy,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None,
    body: bytes | None,
) -> Decision:
    """Decide on a request for a token, by its grant and client."""
    try:
        check_endpoint(request)
        if body is None:
            raise BodyNeeded(MAX_FORM)
        asked = read_token_request(request, body)
    except Refused as refused:
        return decide_stranger(policy, refused)
    return decide_grant(policy, asked, request, client_address, now, directory)


def decide_grant(
    policy: Policy,
    asked: TokenRequest,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None = None,
) -> Decision:
    """Decide on a request for a token that was read already."""
    known = find_clients(policy.principals, asked)
    principal = Principal(None, asked.client_id, None)
    if not known:
        what = "the client of the token request" if asked.client_id else "a token request without a client"
        refused = Refused(Reason.UNKNOWN_CLIENT, f"the policy does not name {what}")
        refused.principal = principal
        return decide_stranger(policy, refused)._replace(grant=asked.grant.value, operation=_TOKEN_OPERATION)
    able = [client for client in known if asked.grant in client.grants]
    # Several logins may go through one client; the first whose bindings hold answers for it.
    answers = [(client, *_unbound(client, request, client_address, now, directory)) for client in able]
    client, unbound, home = next(
        (answer for answer in answers if answer[1] is None), (answers or [(known[0], None, None)])[0]
    )
    if not able:
        reason, detail = (
            Reason.GRANT_NOT_ALLOWED,
            f"the policy does not give {client.name!r} the grant {asked.grant}",
        )
    elif unbound is not None:
        reason, detail = unbound[:2]
    else:
        reason, detail = Reason.ALLOWED_BY_GRANT, f"the policy gives {client.name!r} the grant {asked.grant}"
    rule_set = client.rule_set if isinstance(client, Subject) else None
    mode = client.mode or (rule_set and rule_set.mode) or policy.mode
    allow = reason is Reason.ALLOWED_BY_GRANT
    return Decision(
        allow,
        reason,
        detail,
        allow or mode is _ENFORCE,
        mode.value,
        client.name,
        rule_set=rule_set.name if rule_set else None,
        policy_revision=policy.revision,
        operation=_TOKEN_OPERATION,
        principal=principal,
        grant=asked.grant.value,
        host_workspace=home,
    )


def decide_stranger(policy: Policy, refused: Refused, fingerprint: str | None = None) -> Decision:
    """The denial of somebody the policy does not name; goes on only if the whole proxy is in monitor mode."""
    reason = refused.reason
    return Decision(
        False,
        reason,
        refused.detail,
        policy.mode is Mode.ENFORCE or reason.kind is not Kind.SUBJECT,
        policy.mode.value,
        fingerprint=fingerprint,
        policy_revision=policy.revision,
        principal=refused.principal,
    )


def _unbound(
    subject: Subject | Login,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None,
) -> tuple[_Answer | None, str | None]:
    """Why a subject may do nothing here and now, whatever its rules; None if it may. Bindings come before rules.

    Also the workspace that the host says it is, where that was asked.
    """
    if subject.expires is not None and now >= subject.expires:
        when = datetime.fromtimestamp(subject.expires, UTC).isoformat().replace("+00:00", "Z")
        return (
            Reason.EXPIRED,
            f"the policy lets {subject.name!r} act until {when} only",
            None,
            _NOTHING,
        ), None
    if subject.clients is not None:
        address = _address(client_address)
        if address is None or not any(address in network for network in subject.clients):
            detail = f"the policy does not let {subject.name!r} act from {client_address}"
            return (Reason.CLIENT_NOT_ALLOWED, detail, None, _NOTHING), None
    if subject.workspaces is None:
        return None, None
    at_home, home = _is_at_home(subject.workspaces, request, now, directory)
    if at_home:
        return None, home
    where = request.host if request.workspace is None else f"{request.host}?o={request.workspace[:20]}"
    detail = f"the policy does not let {subject.name!r} act on {where}"
    return (Reason.WORKSPACE_NOT_ALLOWED, detail, None, _NOTHING), home


def _is_at_home(
    workspaces: frozenset[str], request: ApiRequest, now: float, directory: Directory | None
) -> tuple[bool, str | None]:
    """Whether a call stays within these workspaces, and what the host says it is where it was asked.

    The host alone does not say: on a host of several workspaces a header or ``?o=`` chooses. An entry without
    ``?o=`` means the host itself, so a choice passes only if it is what the host says its one workspace is.
    """
    host, chosen = request.host, request.workspace
    if chosen is None:
        return host in workspaces, None
    if f"{host}?o={chosen}" in workspaces:
        return True, None
    if host not in workspaces or directory is None:
        return False, None
    home = directory.workspace_of(host, now)
    return home == chosen, home


def _match(
    policy: Policy,
    subject: Subject,
    request: ApiRequest,
    reading: Reading,
    called: Rule | None,
    held: HeldBody | None,
) -> _Answer:
    """What the rules say of one reading. ``called``: the operation by the catalogue, whose ``text`` is its name."""
    if called is not None and called.messages:
        return _match_messages(policy, subject, request, reading, called, held)
    name, rule_set = "" if called is None else called.text, subject.rule_set
    segments, route = reading.segments, reading.route
    to_app = segments[:1] == _APP
    if to_app:
        segments, route = segments[2:], route[2:]
    # Everybody can make an app, so a token goes to those only that the policy names: as workspaces, or in the rule.
    named = not to_app or subject.workspaces is not None
    denied = rule_set.deny.match(request.method, segments, route) if rule_set.deny.rules else None
    denying, facts = None if denied is None else denied.text, _NOTHING
    if denying is None and called is not None and name in rule_set.denied_operations:
        facts = _Facts()
        rules = rule_set.denied_operations[name]
        denying = _first_met(rules, request, reading, called, held, facts, denies=True)
    if denying is not None:
        detail = f"rule set {rule_set.name!r} denies it by the rule {denying!r}"
        return Reason.DENIED_BY_RULE, detail, denying, facts
    allowed = rule_set.allow.match(request.method, segments, route)
    if (
        called is None
        and route is not segments
        and not to_app
        and policy.catalogue.match(request.method, segments)
    ):
        # A server that compares literals as sent does not know `%63atalogs`: a rule for `catalogs` is not for what it makes
        # of it.
        allowed = rule_set.allow.match(request.method, route)
    if allowed is not None and named:
        return _ALLOWED, "a rule of the rule set allows it", allowed.text, facts
    if called is None and policy.catalogue.rules:
        return (
            Reason.UNKNOWN_OPERATION,
            f"rule set {rule_set.name!r} has no rule that allows it, and the catalogue no such operation",
            None,
            facts,
        )
    rules = rule_set.operations.get(name, ())
    if not named:
        rules = OperationRules([rule for rule in rules if _names_app(rule)])
    if not rules or called is None:
        what = f", the operation {name}" if name else ""
        what += "" if named else "; a rule for an app, or the subject's workspaces, has to name it"
        detail = f"rule set {rule_set.name!r} has no rule that allows it{what}"
        return Reason.NO_RULE_MATCHES, detail, None, facts
    if facts is _NOTHING and rules[0].is_bound:
        facts = _Facts()
    allowing = _first_met(rules, request, reading, called, held, facts)
    if allowing is not None:
        return _ALLOWED, "a rule of the rule set allows it", allowing, facts
    wanted = "; or ".join(
        ", ".join(constraint.text for constraint in rule.where) or "no other parameters" for rule in rules
    )
    return (
        Reason.CONSTRAINT_NOT_MET,
        f"rule set {rule_set.name!r} allows the operation {name} only where {wanted}",
        None,
        facts,
    )


def _names_app(rule: OperationRule) -> bool:
    """Whether a rule writes out the apps that it is for. A prefix would be for whoever gives an app such a name."""
    return any([each.keys == _APP_NAME and each.test.one_of is not None for each in rule.where])  # noqa: C419


def _match_messages(
    policy: Policy,
    subject: Subject,
    request: ApiRequest,
    reading: Reading,
    called: Rule,
    held: HeldBody | None,
) -> _Answer:
    """What the rules say of a call whose body holds JSON-RPC messages: each is a call of its own, and all have to be
    allowed. The body stays unread where a rule by path decides, and no rule by name could deny what is in it."""
    by_path = _match(policy, subject, request, reading, None, held)
    if by_path[0] is Reason.DENIED_BY_RULE or (
        by_path[0] is _ALLOWED and subject.rule_set.denied_operations.keys().isdisjoint(called.names)
    ):
        return by_path
    if held is None and request.may_have_body:
        raise BodyNeeded(MAX_BODY)
    held = held or HeldBody(request, b"")
    operations = dict(called.messages)
    is_batch, messages = held.messages(operations)
    answers = []
    for message, content in messages:
        name = operations.get(message.method)
        one = None if name is None else called._replace(text=name, messages=())
        try:
            answers.append((_match(policy, subject, request, reading, one, content), name))
        except Refused as refused:
            answers.append(((refused.reason, refused.detail, None, _NOTHING), name))
    order = (Reason.DENIED_BY_RULE, None, _ALLOWED)
    (reason, detail, rule, seen), name = min(
        answers, key=lambda answer: order.index(answer[0][0] if answer[0][0] in order else None)
    )
    facts = _Facts()
    facts.params, facts.sent, facts.names = seen.params, seen.sent, seen.names
    if is_batch:
        facts.params = _of_all([answer[3].params for answer, _ in answers])
        facts.sent = _of_all([answer[3].sent for answer, _ in answers])
        named = [answer[3].names for answer, _ in answers if answer[3].names is not None]
        facts.names = frozenset().union(*named) if named else None
    batch = tuple([each for _, each in answers]) if is_batch else None
    ids = tuple([each.id for each, _ in messages if each.id is not None and each.is_answered])
    facts.told = (name, batch, ids)
    return reason, detail, rule, facts


def _of_all(each: list[dict[str, Any]]) -> dict[str, Any]:
    """What rules looked at in the calls of a batch: of each parameter a list, None for a call of which it was not asked."""
    names = dict.fromkeys(name for found in each for name in found)
    return {name: [found.get(name) for found in each] for name in names}


def _first_met(
    rules: tuple[OperationRule, ...],
    request: ApiRequest,
    reading: Reading,
    called: Rule,
    held: HeldBody | None,
    facts: _Facts,
    *,
    denies: bool = False,
) -> str | None:
    """The first rule that a call meets, as the operator wrote it. Rules without constraints stand first."""
    parameters: Parameters | None = None
    for rule in rules:
        if not rule.is_bound:
            return rule.text
        if held is None and needs_body(rule, request):
            raise BodyNeeded(MAX_BODY)
        if parameters is None:  # once for all rules: a call may be held against hundreds
            looks = (rules if isinstance(rules, OperationRules) else OperationRules(rules)).looks
            parameters = read_parameters(request, reading, called.template, held, looks)
        seen = judge(rule, parameters, denies=denies)
        facts.params.update(seen.params)
        facts.sent.update(seen.sent)
        facts.names = facts.names or seen.names
        if seen.met:
            return rule.text
    return None


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The client's address; an IPv4 client on an IPv6 socket (``::ffff:10.0.0.1``) is the IPv4 address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
