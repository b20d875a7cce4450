"""The decision: a pure function of policy, request, client and time, and of what the directory knows."""

from typing import NamedTuple

from .binding import Unbound, find_unbound
from .credential import read_token
from .decision import Decision, Principal, Refused
from .directory import Directory
from .discovery import TENANT_LOOKUP, decide_open, is_open
from .fingerprint import fingerprint
from .grant import is_token_request
from .management import check_management
from .match import NOTHING, Answer, Deciding, Facts, match_rules
from .parameters import HeldBody
from .path import Reading
from .placeholder import PREFIX, is_whole
from .policy import Mode, Policy, RuleSet, Subject
from .principal import find_principal
from .reason import Kind, Reason
from .request import ApiRequest
from .rule import WEBSOCKET, Rule
from .stranger import decide_stranger
from .template import Literal
from .token_request import decide_token_request

# Looked up once: a decision has a budget of microseconds.
_new = tuple.__new__  # as in path.py; test_decide.py counts the fields
_ALLOWED, _ENFORCE = Reason.ALLOWED_BY_RULE, Mode.ENFORCE
# Second character of every path of `discovery.py` and `grant.py` (/oidc in any case, /.well-known).
_APART = frozenset("oO.%")
PLAIN = "as it stands"
"""The plain reading of a path, in words."""


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
    if request.path[1:2] in _APART or request.path == TENANT_LOOKUP or not request.readings:
        if is_open(request):
            return decide_open(policy, request)
        if is_token_request(request):
            return decide_token_request(policy, request, client_address, now, directory, body)
    name: str | None = None
    principal: Principal | None = None
    try:
        token = read_token(request.authorization)
        name = fingerprint(token)
        subject = policy.tokens.get(name)
        is_placeholder = token.startswith(PREFIX)
        if is_placeholder and (subject is None or subject.credential is None):
            raise _unknown_placeholder(token, name)
        if subject is None or (subject.credential is not None) is not is_placeholder:
            subject, principal = find_principal(policy, token, name, request.host, now, directory)
    except Refused as refused:
        return decide_stranger(policy, request.method, refused, name, request)
    return decide_for(policy, subject, request, client_address, now, directory, body, name, principal)


def _unknown_placeholder(token: bytes, name: str) -> Refused:
    """The refusal of a placeholder that the policy does not list as one: in no mode is it sent on as it is."""
    detail = f"the policy names no placeholder with the fingerprint {name}"
    if not is_whole(token.decode("latin-1")):
        detail = "the placeholder is incomplete: it was cut off or mistyped"
    return Refused(Reason.UNKNOWN_PLACEHOLDER, detail)


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
    if request.management is not None:
        try:
            principal = check_management(policy, subject, request, principal, now, directory)
        except Refused as refused:
            return decide_stranger(policy, request.method, refused, fingerprint, request)
    rule_set, readings, flaw = subject.rule_set, request.readings, request.flaw
    several: tuple[str, ...] | None = None
    which = 0
    barrier: Unbound | None = None
    home = None
    if subject.workspaces is not None or subject.clients is not None or subject.expires is not None:
        barrier, home = find_unbound(subject, request, client_address, now, directory)
    if barrier is None and flaw is not None:
        barrier = flaw.reason, flaw.detail
    held = None if body is None else HeldBody(request, body)
    if len(readings) == 1 and barrier is None:  # nearly all calls
        (reason, detail, rule, facts), called = _judge_reading(policy, subject, request, readings[0], held)
    else:
        reason, detail, rule, facts, called, decided = (
            _judge(policy, subject, request, held)
            if barrier is None
            else _Outcome(*barrier, None, NOTHING, *_called(policy, request))
        )
        if len(readings) > 1:
            several = _told(readings, decided)
            which = next((at for at, each in enumerate(readings) if each is decided), 0)
    operation = None if called is None or called.messages else called.text
    batch: tuple[str | None, ...] | None = None
    ids: tuple[int | str, ...] = ()
    if facts.told is not None:
        operation, batch, ids = facts.told
    allow = reason is _ALLOWED
    mode, credential = subject.mode or rule_set.mode or policy.mode, subject.credential
    return _new(
        Decision,
        (
            allow,
            reason,
            detail,
            # What left unknown whose the call is, or where it goes, was refused before, in every mode. A placeholder that is
            # not exchanged would be worth nothing where it goes, and be known there. What passes in a websocket is known to
            # nobody.
            allow
            or mode is _ENFORCE
            or credential is not None
            or reason.kind is Kind.PLACEHOLDER
            or request.method == WEBSOCKET,
            mode._value_,
            subject.name,
            fingerprint,
            rule_set.name,
            None if rule is None else rule.text,
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
            credential,
            -1 if rule is None else rule.entry,
            which,
        ),
    )


class _Outcome(NamedTuple):
    """What the rules say of one reading. ``called``: its operation, by the catalogue."""

    reason: Reason
    detail: str
    rule: Deciding
    facts: Facts
    called: Rule | None
    reading: Reading | None


def _called(policy: Policy, request: ApiRequest) -> tuple[Rule | None, Reading | None]:
    """The operation of the plain reading, and that reading; None where a call has none."""
    if not request.readings:
        return None, None
    first = request.readings[0]
    return policy.catalogue.match(request.method, first.route), first


def _told(readings: tuple[Reading, ...], decided: Reading | None) -> tuple[str, ...]:
    """All readings of a call in words, the one that decided first."""
    first = [] if decided is None else [decided.how or PLAIN]
    return (*first, *(each.how or PLAIN for each in readings if each is not decided))


def _judge(policy: Policy, subject: Subject, request: ApiRequest, held: HeldBody | None) -> _Outcome:
    """What the rules say of a call: allowed if they allow each of its readings, denied if a deny meets any."""
    readings = request.readings
    outcomes = []
    for reading in readings:
        answer, called = _judge_reading(policy, subject, request, reading, held)
        found = _Outcome(*answer, called, reading)
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
    policy: Policy, subject: Subject, request: ApiRequest, reading: Reading, held: HeldBody | None
) -> tuple[Answer, Rule | None]:
    """What the rules say of one reading, and its operation by the catalogue."""
    called = policy.catalogue.match(request.method, reading.route)
    if request.method == WEBSOCKET:
        denied = _denied_as_get(policy, subject, request, reading)
        if denied is not None:
            return denied, called
        if called is None:
            return (
                Reason.UPGRADE_REFUSED,
                "the catalogue has no websocket for this path",
                None,
                NOTHING,
            ), None
    try:
        return match_rules(policy, subject, request, reading, called, held), called
    except Refused as refused:
        return (refused.reason, refused.detail, None, NOTHING), called


def _denied_as_get(policy: Policy, subject: Subject, request: ApiRequest, reading: Reading) -> Answer | None:
    """The denial of the GET that a request for a websocket is to a server which does not know websockets; None where surely
    no rule denies it. Such a request has no body."""
    answer, _ = _judge_reading(policy, subject, request._replace(method="GET"), reading, None)
    return None if answer[0] is _ALLOWED or answer[0] in _NOT_ALLOWED else answer
