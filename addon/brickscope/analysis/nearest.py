"""The rules that almost allow a call, each with what is missing: the answer to "why not?"."""

from collections.abc import Sequence
from typing import Any

from brickscope.catalog.catalog import operation_table
from brickscope.core.constraint import Constraint
from brickscope.core.decision import Decision, Refused
from brickscope.core.operation import OperationRule, holds
from brickscope.core.request import ApiRequest
from brickscope.core.rule import METHODS, WEBSOCKET, Rule, RuleTable
from brickscope.core.template import Literal, Rest, Segment
from brickscope.policy.written import WrittenRule

from .algebra import names
from .reach import reached
from .shown import MAX_ELEMENTS, listed, quoted, rule_data, shown
from .sight import objects_of, see

MAX_NEAR = 4
_FAR = 5.0
_Reason = tuple[float, tuple[str, ...]]
"""How far a rule is from a call, and why it does not allow it."""


def nearest_rules(
    rules: Sequence[WrittenRule], request: ApiRequest, body: bytes, decision: Decision
) -> list[dict[str, Any]]:
    """The rules nearest to a call that none of them allows, each with ``why`` it does not, in sentences. ``rules``: what its
    subject's rule set allows."""
    found: list[tuple[float, dict[str, Any]]] = []
    for rule in rules:
        best = min(_reasons(rule, request, body, decision), default=None)
        if best is not None:
            found.append((best[0], {**rule_data(rule), "why": list(best[1])}))
    found.sort(key=lambda each: each[0])
    near = [each for distance, each in found if distance < _FAR]
    return (near or [each for _, each in found])[:MAX_NEAR]


def _reasons(rule: WrittenRule, request: ApiRequest, body: bytes, decision: Decision) -> list[_Reason]:
    """Why each compiled rule of a written one does not allow a call, with its distance."""
    found: list[_Reason] = []
    elsewhere = _by_other_methods(request) if decision.operation is None else {}
    for named in rule.operations:
        if named.operation == decision.operation:
            missed = misses(named, request, body)
            found.append((len(missed) / 8, tuple(missed)))
        elif named.operation in elsewhere:
            found.append(
                (0.5, (f"it is for {elsewhere[named.operation]}, and the call is {request.method}",))
            )
    if decision.operation is not None and not found:
        service = decision.operation.rpartition(".")[0]
        others = [each.operation for each in rule.operations if each.operation.rpartition(".")[0] == service]
        if others:
            found.append((_FAR, (f"it allows {listed(others, 3)}, which is another operation",)))
    for path in rule.paths:
        reason = _path_reason(path, request, decision.operation)
        if reason is not None:
            found.append(reason)
    return found


def misses(rule: OperationRule, request: ApiRequest, body: bytes) -> list[str]:
    """What a call of the rule's operation lacks, one sentence for each condition that it does not meet."""
    missed: list[str] = []
    try:
        parameters = see(request, body, rule.where, rule.operation)
        if parameters is None:
            return []
        for constraint in rule.where:
            values = parameters.values(constraint)
            if not constraint.test.is_met(values):
                missed.append(_missed(rule.operation, constraint, values.sent))
            elif not holds(constraint, values, parameters):
                others = sorted(parameters.given((*constraint.stand_ins, *constraint.alternatives)))
                missed.append(
                    f"the call has {', '.join(map(quoted, others[:5]))}, which can stand in for {constraint.name}"
                )
    except Refused as refused:
        return [refused.detail]
    if rule.only is not None:
        odd = parameters.others(names(rule))
        if odd:
            missed.append(f"the call also has {', '.join(map(quoted, odd[:5]))}, which 'only' does not list")
    return missed


def _missed(operation: str, constraint: Constraint, value: Any) -> str:
    """What a call has where a rule wants something else; also the objects that it may name, if its spelling hides them."""
    values = value[:MAX_ELEMENTS] if isinstance(value, list) else [value]
    objects = [each for one in values for each in objects_of(operation, constraint.name, one)]
    means = f", which is {' or '.join(map(shown, objects))}" if objects else ""
    test = constraint.test
    separator = test.kind.separator
    folder = separator and any(f"{each}{separator}" in (test.prefix or ()) for each in objects or values)
    itself = " (what is in it, not the folder itself)" if folder else ""
    return f"{constraint.name} is {shown(value)} in the call{means}; the rule holds where {constraint.text}{itself}"


def _by_other_methods(request: ApiRequest) -> dict[str, str]:
    """The operations that the same path is by other methods, each with its method (of HEAD and GET, the GET)."""
    found = (
        (method, operation_table().match(method, request.segments))
        for method in (WEBSOCKET, *reversed(METHODS))
    )
    return {name: method for method, rule in found if rule is not None for name in rule.names}


def _path_reason(path: Rule, request: ApiRequest, operation: str | None) -> _Reason | None:
    segments = path.template.segments
    if RuleTable([path]).match(path.method, request.segments) is not None:
        return 0.5, (f"it is for {path.method}, and the call is {request.method}",)
    if path.method != request.method:
        return None
    same = None if operation is None else reached(path).get(operation)
    if same is not None and same.whole:
        return 1.0, (f"it is another version of the same operation; the rule {operation} means all of them",)
    different = _difference(segments, request.segments)
    if different is None and same is not None:
        return 3.0, ("it is for other objects of the same operation",)
    return different


def _difference(wanted: Sequence[Segment], given: Sequence[str]) -> _Reason | None:
    """The one place in which a template and a path differ; None if they differ in more."""
    same = 0
    while same < min(len(wanted), len(given)) and _fits(wanted[same], given[same]):
        same += 1
    if same < 2:
        return None
    rest_wanted, rest_given = wanted[same:], given[same:]
    if not rest_wanted:
        return 2.0, (f"it ends before {quoted('/' + '/'.join(rest_given))}",)
    if not rest_given:
        return 2.5, ("the call ends before it does",)
    if len(rest_wanted) == len(rest_given) and all(map(_fits, rest_wanted[1:], rest_given[1:])):
        part, text = rest_wanted[0], rest_given[0]
        if not isinstance(part, Literal):
            return 1.5, (f"{quoted(text)} has a colon, which starts a verb, another operation",)
        near = 1.5 if same >= 3 or len(wanted) == same + 1 else 3.0
        return near, (f"it has {part.text!r} where the call has {quoted(text)}",)
    return None


def _fits(part: Segment, text: str) -> bool:
    if isinstance(part, Literal):
        return part.text == text
    if isinstance(part, Rest):
        return True
    if part.verb is not None:
        return text.endswith(f":{part.verb}")
    return ":" not in text
