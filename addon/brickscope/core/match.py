"""What the rules of a rule set say of one reading of a call, and what they looked at for it."""

from typing import Any

from .body import MAX_BODY
from .decision import Refused
from .operation import OperationRule, OperationRules, judge, needs_body
from .parameters import HeldBody, Parameters, read_parameters
from .path import APP, Reading
from .pending import BodyNeeded
from .policy import Policy, Subject
from .reason import Reason
from .request import ApiRequest
from .rule import Rule

# Looked up once: a decision has a budget of microseconds.
_ALLOWED = Reason.ALLOWED_BY_RULE
_APP, _APP_NAME = (APP,), ("app",)


class Facts:
    """What the rules looked at in one reading of a call. ``told``: of a body of JSON-RPC, as ``Decision`` has it: the
    operation that decided, those of a batch, the ids of its requests."""

    __slots__ = ("names", "params", "sent", "told")

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.sent: dict[str, Any] = {}
        self.names: frozenset[str] | None = None
        self.told: tuple[str | None, tuple[str | None, ...] | None, tuple[int | str, ...]] | None = None


NOTHING = Facts()
"""Where no rule looked at anything; never changed."""

Deciding = Rule | OperationRule | None
"""The rule that decided, None where none did."""
Answer = tuple[Reason, str, Deciding, Facts]
"""Reason, detail, the rule that decided, and what rules looked at."""


def match_rules(
    policy: Policy,
    subject: Subject,
    request: ApiRequest,
    reading: Reading,
    called: Rule | None,
    held: HeldBody | None,
) -> Answer:
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
    denying: Deciding = denied
    facts = NOTHING
    if denying is None and called is not None and name in rule_set.denied_operations:
        facts = Facts()
        rules = rule_set.denied_operations[name]
        denying = _first_met(rules, request, reading, called, held, facts, denies=True)
    if denying is not None:
        detail = f"rule set {rule_set.name!r} denies it by the rule {denying.text!r}"
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
        return _ALLOWED, "a rule of the rule set allows it", allowed, facts
    if called is None and policy.catalogue.rules:
        return (
            Reason.UNKNOWN_OPERATION,
            f"rule set {rule_set.name!r} has no rule that allows it, and the catalogue has no such operation",
            None,
            facts,
        )
    rules = rule_set.operations.get(name, ())
    if not named:
        rules = OperationRules([rule for rule in rules if _names_app(rule)])
    if not rules or called is None:
        what = f", the operation {name}" if name else ""
        what += "" if named else "; a rule for an app must name it, or the subject's workspaces must"
        detail = f"rule set {rule_set.name!r} has no rule that allows it{what}"
        return Reason.NO_RULE_MATCHES, detail, None, facts
    if facts is NOTHING and rules[0].is_bound:
        facts = Facts()
    allowing = _first_met(rules, request, reading, called, held, facts)
    if allowing is not None:
        return _ALLOWED, "a rule of the rule set allows it", allowing, facts
    detail = f"rule set {rule_set.name!r} allows the operation {name} only {_indexed(rules).conditions}"
    return Reason.CONSTRAINT_NOT_MET, detail, None, facts


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
) -> Answer:
    """What the rules say of a call whose body holds JSON-RPC messages: each is a call of its own, and all have to be
    allowed. The body stays unread where a rule by path decides, and no rule by name could deny what is in it."""
    by_path = match_rules(policy, subject, request, reading, None, held)
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
            answers.append((match_rules(policy, subject, request, reading, one, content), name))
        except Refused as refused:
            answers.append(((refused.reason, refused.detail, None, NOTHING), name))
    order = (Reason.DENIED_BY_RULE, None, _ALLOWED)
    (reason, detail, rule, seen), name = min(
        answers, key=lambda answer: order.index(answer[0][0] if answer[0][0] in order else None)
    )
    facts = Facts()
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


def _indexed(rules: tuple[OperationRule, ...]) -> OperationRules:
    return rules if isinstance(rules, OperationRules) else OperationRules(rules)


def _first_met(
    rules: tuple[OperationRule, ...],
    request: ApiRequest,
    reading: Reading,
    called: Rule,
    held: HeldBody | None,
    facts: Facts,
    *,
    denies: bool = False,
) -> OperationRule | None:
    """The first rule that a call meets. Rules without constraints stand first."""
    parameters: Parameters | None = None
    if called.content:
        held = HeldBody(request, b"")
    for rule in rules:
        if not rule.is_bound:
            return rule
        if held is None and needs_body(rule, request):
            raise BodyNeeded(MAX_BODY)
        if parameters is None:  # once for all rules: a call may be held against hundreds
            parameters = read_parameters(request, reading, called.template, held, _indexed(rules).looks)
        seen = judge(rule, parameters, denies=denies)
        facts.params.update(seen.params)
        facts.sent.update(seen.sent)
        facts.names = facts.names or seen.names
        if seen.met:
            return rule
    return None
