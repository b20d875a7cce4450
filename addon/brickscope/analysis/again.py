"""Judging a record again: who it was, what was asked, and what the policy says now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from brickscope.core.decision import Decision, Principal, Refused
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Login, Mode, Policy, Subject
from brickscope.core.principal import NOBODY, match_claims
from brickscope.core.reason import Kind, Reason
from brickscope.core.stranger import decide_stranger
from brickscope.log.key import DigestKey

from .call import Call
from .facts import PART, Facts, NotReplayable, constraints_on, read_facts
from .judge import Known, Told, judge, known
from .remedy import OF_PARAMETERS

_NOBODY = Known("nobody", "login", Login("nobody", None, frozenset()))
"""Who asks for a token: the request says it."""
# Denied for a parameter without a single reading: whether another policy looks at it is not known.
_PARAMETERS = OF_PARAMETERS | {Reason.TOO_LARGE}
# Of a token that was not verified: another policy may know whose it is, and the log does not.
_UNVERIFIED = frozenset(
    [
        Reason.UNKNOWN_PRINCIPAL,
        Reason.WRONG_ISSUER,
        Reason.WRONG_TENANT,
        Reason.WRONG_AUDIENCE,
        Reason.UNKNOWN_KEY,
        Reason.KEY_SET_UNAVAILABLE,
        Reason.UNKNOWN_TOKEN,
    ]
)


class Verdict(NamedTuple):
    """What a policy says of a call: ``allow`` or not, whether it goes on, and why. ``looked``: whether rules looked at its
    parameters."""

    allow: bool
    sent: bool
    reason: str
    subject: str | None
    rule: str | None
    looked: bool = True

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """The verdict of a decision."""
        looked = bool(decision.params) or decision.names is not None
        return cls(
            decision.allow, decision.forwards, decision.reason.value, decision.subject, decision.rule, looked
        )

    @classmethod
    def then(cls, record: Mapping[str, Any]) -> Self:
        """What a record says was decided."""
        allow = record["decision"] == "allow"
        sent = allow or record.get("enforced") is False
        return cls(allow, sent, str(record["reason"]), record.get("subject"), record.get("rule"))


def judge_again(policy: Policy, record: Mapping[str, Any], key: DigestKey | None = None) -> Verdict:
    """What ``policy`` says of the call of a decision record.

    Under the revision that decided it then, this is what was decided, or NotReplayable is raised (with why). Raises
    ValueError for a record that is none.
    """
    then = Verdict.then(record)
    reason = Reason.__members__[str(record["reason"]).upper()]
    if reason.kind in (Kind.INTERNAL, Kind.DESTINATION, Kind.FORBIDDEN, Kind.PLACEHOLDER) or (
        reason.kind is Kind.READING and reason not in _PARAMETERS and record.get("subject") is None
    ):
        return then  # no policy has a say in it
    if reason is Reason.ALLOWED_WITHOUT_CREDENTIAL:
        return then
    claims, principal = record.get("principal"), None
    if isinstance(claims, Mapping):
        principal = Principal(*(claims.get(name) for name in Principal._fields))
    if record.get("grant") is not None:
        decision = ask(policy, _NOBODY, read_facts(record, None, key).call, record)
        _check_workspace(policy, decision, record)
        return Verdict.of(decision)
    try:
        subject = _subject(policy, record, reason, principal)
    except Refused as refused:
        method, fingerprint = str(record.get("method")), record.get("fingerprint")
        found = Verdict.of(decide_stranger(policy, method, refused, fingerprint))
        if found.sent and not then.sent and record.get("mode") == Mode.MONITOR:
            raise NotReplayable("the call held what may be an enforced subject's token") from None
        return found
    if principal is not None and principal.azure_resource not in (None, subject.azure_resource):
        second = Refused(Reason.MULTIPLE_CREDENTIALS, "the call came with Azure's second token")
        return Verdict.of(decide_stranger(policy, str(record.get("method")), second))
    facts = read_facts(record, subject.rule_set, key)
    if reason in _PARAMETERS:
        return _judge_unread(policy, subject, facts, then, record)
    return Verdict.of(decide_again(policy, subject, facts, record))


def decide_again(policy: Policy, subject: Subject, facts: Facts, record: Mapping[str, Any]) -> Decision:
    """What ``policy`` says of a subject's call, of which the record has all that the answer hangs on.

    Raises NotReplayable where it has not.
    """
    who = Known(subject.name, "subject", subject)
    try:
        decision = ask(policy, who, facts.call, record, knows_body=facts.body is not None)
    except BodyNeeded:
        raise NotReplayable("rules look at what is in the body, which the log does not tell") from None
    _check_workspace(policy, decision, record)
    _check_parameters(subject, decision, facts)
    return decision


def ask(
    policy: Policy, who: Known, call: Call, record: Mapping[str, Any], *, knows_body: bool = True
) -> Decision:
    """What a policy says to a call from where and when a record has it. Raises BodyNeeded, and ValueError for no time."""
    now = datetime.fromisoformat(str(record["time"])).timestamp()
    told = Told({str(record.get("server_address")): record.get("host_workspace")})
    client = str(record.get("client_address"))
    return judge(policy, who, call, now, client, told, knows_body=knows_body)


def _subject(
    policy: Policy, record: Mapping[str, Any], reason: Reason, principal: Principal | None
) -> Subject:
    """Whose call it is under the policy. Raises Refused for a stranger, and NotReplayable."""
    fingerprint = record.get("fingerprint")
    if isinstance(fingerprint, str) and fingerprint in policy.tokens:
        return policy.tokens[fingerprint]
    principals = policy.principals
    unknown = Refused(Reason.UNKNOWN_TOKEN, f"the policy names no token with the fingerprint {fingerprint}")
    if principal is not None:
        if not (principals.subjects or policy.mode is Mode.MONITOR):
            raise Refused(Reason.UNKNOWN_PRINCIPAL, NOBODY)
        if reason in (Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID, Reason.BAD_SIGNATURE):
            raise Refused(reason, str(record.get("detail")))
        return match_claims(principals, principal)
    if reason.kind is not Kind.SUBJECT:
        # Then it was named by its fingerprint, and no longer is: an opaque token.
        raise unknown
    if record.get("policy_revision") == policy.revision or reason not in _UNVERIFIED:
        raise Refused(reason, str(record.get("detail")))
    if principals.subjects:
        raise NotReplayable("the token was not verified then, so whose it is the log can't tell")
    raise Refused(reason, str(record.get("detail")))


def _judge_unread(
    policy: Policy, subject: Subject, facts: Facts, then: Verdict, record: Mapping[str, Any]
) -> Verdict:
    """A call that was denied because a rule had to read what has no single reading."""
    if record.get("policy_revision") == policy.revision:
        return then
    request = facts.request._replace(may_have_body=True, has_body=True)
    try:
        who = Known(subject.name, "subject", subject)
        decision = ask(policy, who, Call("", request), record, knows_body=False)
    except BodyNeeded:
        decision = None
    if decision is None or decision.params or decision.names is not None:
        raise NotReplayable("its parameters had no single reading, and rules look at them")
    return Verdict.of(decision)


def _check_workspace(policy: Policy, decision: Decision, record: Mapping[str, Any]) -> None:
    """Raises NotReplayable where the answer hung on what a host says its workspace is, and the log has not."""
    if decision.reason is not Reason.WORKSPACE_NOT_ALLOWED or record.get("workspace") is None:
        return
    who = known(policy).get(str(decision.subject))
    if (
        who
        and record.get("server_address") in (who.subject.workspaces or ())
        and record.get("host_workspace") is None
    ):
        if record.get("reason") == decision.reason and record.get("policy_revision") == policy.revision:
            return
        raise NotReplayable("which workspace the host serves is not in the log")


def _check_parameters(subject: Subject, decision: Decision, facts: Facts) -> None:
    """Raises NotReplayable where rules looked at more than the log has."""
    looked = [
        (name, constraint, denies)
        for name in decision.params
        for constraint, denies in constraints_on(subject.rule_set, decision.operation or "", name)
    ]
    for name, constraint, _ in looked:
        # Where the log has the names of all parameters, it is known which a call lacks; not so what can stand in for one.
        may_have = facts.names is None or name.partition(".")[0] in facts.names
        if name not in facts.told and (constraint.others or (constraint.place != "path" and may_have)):
            raise NotReplayable(f"rules look at the parameter {name!r}, which is not in the log")
    if decision.names is not None and facts.names is None:
        raise NotReplayable("rules look at the names of all parameters, which are not in the log")
    for name, constraint, denies in looked:
        if constraint.place == "path":
            continue
        if f"{PART}{name}" in facts.digests:
            raise NotReplayable(f"of the parameter {name!r} the log has a part only")
        if name in facts.digests and not facts.keyed:
            raise NotReplayable(f"of the parameter {name!r} the log has a digest, and its key was not given")
        if name in facts.digests and (constraint.test.one_of is None or denies):
            raise NotReplayable(f"of the parameter {name!r} the log has a digest only")
