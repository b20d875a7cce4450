"""One call of one subject, explained: the decision, the rule, the nearest others, and what would allow it.

Everything here asks the proxy's decision function, of the policy or of one with a rule or binding taken away.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from brickscope.core.decision import Decision, Refused
from brickscope.core.directory import Directory
from brickscope.core.hostname import in_databricks_zone
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Login, RuleSet, Subject
from brickscope.core.reason import CHANGE, Reason
from brickscope.core.rule import RuleTable
from brickscope.log.record import printable
from brickscope.policy.load import Loaded
from brickscope.policy.problem import Position
from brickscope.policy.written import Written, WrittenRule

from .call import Call
from .judge import Known, address, judge
from .logged import Logged
from .nearest import nearest_rules
from .reading import decided_by, judge_readings
from .remedy import Remedy, Try, find_remedy
from .shown import MAX_ELEMENTS, moment, place, plain, quoted, risk, rule_data, verdict
from .sight import objects_of

_BINDINGS = (Reason.EXPIRED, Reason.CLIENT_NOT_ALLOWED, Reason.WORKSPACE_NOT_ALLOWED)


class Explanation(NamedTuple):
    """What is to be said about one call.

    ``rule``: the rule that decided, where one did. ``also``: further rules that allow it. ``otherwise``: what would be
    decided without the deny rule or the binding, a sentence. ``notes``: what was assumed. As they are printed: ``near``, the
    rules that almost allow it; ``readings``, all of a call that has several; ``objects``, what the values of parameters
    name, where their spelling does not say it.
    """

    who: Known
    where: Position | None
    call: Call
    client: str
    now: float
    decision: Decision
    rule: WrittenRule | None
    also: tuple[WrittenRule, ...]
    near: tuple[dict[str, Any], ...]
    otherwise: str
    remedy: Remedy | None
    notes: tuple[str, ...]
    readings: tuple[dict[str, Any], ...] = ()
    objects: tuple[dict[str, Any], ...] = ()


def explain(
    loaded: Loaded,
    who: Known,
    call: Call,
    now: float,
    client_address: str | None = None,
    directory: Directory | None = None,
    notes: tuple[str, ...] = (),
) -> Explanation:
    """Explain the decision on a call. Arguments as for ``judge``. Raises CallError."""
    policy, written = loaded.policy, loaded.written
    client = address(who) if client_address is None else client_address

    def attempt(other: Known) -> Decision:
        return judge(policy, other, call, now, client, directory)

    decision = attempt(who)
    said = list(notes)
    if client_address is None and who.subject.clients is not None:
        said.append(
            f"the client's address was not given; {client}, from which {who.name!r} may act, was taken"
        )
    request = call.request
    if not isinstance(request, Refused):
        if not in_databricks_zone(request.host):
            said.append(
                f"the proxy judges calls to its scope_hosts only, of which {request.host} may be none"
            )
        if (
            decision.reason is Reason.WORKSPACE_NOT_ALLOWED
            and request.workspace is not None
            and directory is None
        ):
            said.append(
                "the proxy also asks the host which workspace it is; --host-workspace says what it answers"
            )
        if request.flaw is not None and request.flaw.reason is not decision.reason:
            said.append(f"it also has a flaw, with which no rule can allow it: {request.flaw.detail}")
    if call.operation is not None and decision.operation not in (None, call.operation):
        said.append(
            f"with these parameters it is the operation {decision.operation}; the rule {call.operation} does not mean it"
        )
    near: list[dict[str, Any]] = []
    also: list[WrittenRule] = []
    readings: Iterable[dict[str, Any]] = ()
    if not isinstance(request, Refused) and isinstance(who.subject, Subject) and call.asked is None:
        readings = judge_readings(
            request,
            decision,
            lambda other: judge(policy, who, call._replace(request=other), now, client, directory),
        )
        rules = written.of(who.subject.rule_set.name, "allow")
        if decision.allow:
            also = [rule for rule in rules if attempt(_alone(who, who.subject, rule)).allow]
        elif request.flaw is None and decision.reason not in (*_BINDINGS, Reason.DENIED_BY_RULE):
            near = nearest_rules(rules, decided_by(request, decision), call.body, decision)
    rule = written.decided(decision)
    return Explanation(
        who,
        written.subjects.get(who.name),
        call,
        client,
        now,
        decision,
        rule,
        tuple(each for each in also if each is not rule),
        tuple(near),
        _otherwise(who, decision, attempt, written),
        find_remedy(who, call, client, decision, attempt),
        tuple(said),
        tuple(readings),
        tuple(_named(decision)),
    )


def _named(decision: Decision) -> Iterator[dict[str, Any]]:
    """The parameters that rules looked at and whose value is a spelling of something: as sent, and what it may name."""
    for name, sent in decision.sent.items():
        for value in sent[:MAX_ELEMENTS] if isinstance(sent, list) else [sent]:
            objects = objects_of(decision.operation or "", name, value)
            if objects:
                yield {"name": name, "sent": quoted(value), "objects": tuple(map(quoted, objects))}


def _alone(who: Known, subject: Subject, rule: WrittenRule) -> Known:
    """The same subject with a single rule in its rule set, and nothing denied."""
    operations: dict[str, tuple[OperationRule, ...]] = {}
    for each in rule.operations:
        operations[each.operation] = (*operations.get(each.operation, ()), each)
    alone = RuleSet(rule.rule_set, RuleTable(rule.paths), RuleTable(()), None, operations)
    return who._replace(subject=subject._replace(rule_set=alone))


def _otherwise(who: Known, decision: Decision, attempt: Try, written: Written) -> str:
    """What the decision would be without the binding or deny rule that made it."""
    if isinstance(who.subject, Login):
        return ""
    subject = who.subject
    if decision.reason is Reason.DENIED_BY_RULE:
        bare = subject.rule_set._replace(deny=RuleTable(()), denied_operations={})
        other = attempt(who._replace(subject=subject._replace(rule_set=bare)))
        what = "without the deny rules"
    elif decision.reason in _BINDINGS:
        other = attempt(who._replace(subject=subject._replace(workspaces=None, clients=None, expires=None)))
        what = "without its bindings"
    else:
        return ""
    if not other.allow:
        return f"{what} it would be denied all the same, for {other.reason.value}: {other.detail}"
    rule = written.decided(other)
    by = "" if rule is None else f", by {rule.text!r} ({place(rule.position)})"
    return f"{what} it would be allowed{by}"


# -- the tree that --json prints; all text of a client or log is made printable here --------------------------------


def explanation_data(said: Explanation, logged: Logged | None = None) -> dict[str, Any]:
    """One call, as data."""
    decision = said.decision
    return {
        "decision": verdict(decision.allow),
        "enforced": decision.enforced,
        "mode": decision.mode,
        "reason": decision.reason.value,
        "sentence": decision.reason.sentence,
        "detail": printable(decision.detail),
        "call": said.call.text,
        "subject": said.who.name,
        "kind": said.who.kind,
        "subject_place": None if said.where is None else place(said.where),
        "client_address": printable(said.client),
        "time": moment(said.now),
        "rule_set": decision.rule_set,
        "rule": decision.rule,
        "written": None if said.rule is None else said.rule.text,
        "place": None if said.rule is None else place(said.rule.position),
        "operation": decision.operation,
        "about": risk(decision.operation) or None,
        "params": {name: plain(value) for name, value in decision.params.items()},
        "params_sent": {name: plain(value) for name, value in decision.sent.items()},
        "readings": list(said.readings),
        "objects": list(said.objects),
        "flaw": _flaw(said),
        "policy_revision": decision.policy_revision,
        "also": list(map(rule_data, said.also)),
        "otherwise": printable(said.otherwise) or None,
        "nearest": list(said.near),
        "remedy": said.remedy
        and {"text": said.remedy.text, "yaml": said.remedy.whole, "caution": said.remedy.note},
        "notes": list(said.notes),
        "logged": None if logged is None else _logged(said, logged),
    }


def _flaw(said: Explanation) -> dict[str, Any] | None:
    """Why no rule can allow the call, whatever the rules say; None where there is nothing."""
    request = said.call.request
    flaw = request if isinstance(request, Refused) else request.flaw
    if flaw is None:
        return None
    return {
        "reason": flaw.reason.value,
        "detail": printable(flaw.detail),
        "in_every_mode": isinstance(request, Refused),
        "change": CHANGE.get(flaw.reason),
    }


_OF_RECORD = (
    *("decision_id", "time", "decision", "enforced", "mode", "reason", "detail", "rule", "policy_revision"),
    *("params_sent", "readings"),
)


def _logged(said: Explanation, logged: Logged) -> dict[str, Any]:
    """What was decided when the call was made, and whether it still would be."""
    record, now = logged.record, said.decision
    told = {key: record.get(key) for key in _OF_RECORD}
    return {
        **{key: printable(value) if isinstance(value, str) else value for key, value in told.items()},
        "same_policy": record.get("policy_revision") == now.policy_revision,
        "same_answer": (record.get("decision"), record.get("reason"))
        == (verdict(now.allow), now.reason.value),
        "unknown": list(logged.unknown),
    }
