"""Conditions that no call can meet (BS107)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from brickscope.analysis.error import CallError
from brickscope.analysis.example import example, meeting
from brickscope.catalog.catalog import Operation, load_catalog, operation_table
from brickscope.core.constraint import Constraint, Test
from brickscope.core.decision import Refused
from brickscope.core.operation import OperationRule
from brickscope.core.template import Literal, Rest, Variable
from brickscope.policy.written import WrittenRule

from ..reach import calls

MAX_TRIES = 64
"""How many combinations of values are tried."""


def never(written: WrittenRule) -> list[str]:
    """Why no call can meet a rule, for each of its operations once; empty if some call can."""
    operations = load_catalog().operations
    found: dict[str, None] = {}
    for rule in written.operations:
        why = next(_reasons(rule, operations[rule.operation]), None)
        if why is None:
            return []
        found[why] = None
    return [] if written.paths else list(found)


def _reasons(rule: OperationRule, operation: Operation) -> Iterator[str]:
    for constraint in rule.where:
        why = _why_not(constraint, operation)
        if why is not None:
            yield f"{constraint.name}: {why}"
    yield from _contradictions(rule)
    yield from _another(rule, operation)
    if rule.only is None:
        return
    named = {constraint.keys[0] for constraint in rule.where} | rule.only
    for name in operation.required:
        if operation.place(name) != "path" and name not in named:
            yield f"only: the API requires {name}, which it leaves out"


def _contradictions(rule: OperationRule) -> Iterator[str]:
    """What is said of an object and of something in it, where the two can't both be."""
    for outer in rule.where:
        for inner in rule.where:
            if len(inner.keys) == len(outer.keys) + 1 and inner.keys[:-1] == outer.keys:
                if inner.test.absent or inner.test.optional:
                    continue
                if outer.test.absent:
                    yield f"{inner.name}: {outer.name} must be absent, so nothing is in it"
                elif outer.test.only is not None and inner.keys[-1] not in outer.test.only:
                    yield f"{inner.name}: {outer.name} may not have this key"


def _another(rule: OperationRule, operation: Operation) -> Iterator[str]:
    """What the calls with these values are instead: PATCH /permissions/jobs/7 is jobs.update_permissions, and so no
    permissions.update, whatever a rule for that says of request_object_type."""
    bound = [constraint for constraint in rule.where if constraint.place == "path"]
    if not bound or any(constraint.test.one_of is None for constraint in bound):
        return
    others: dict[str, None] = {}
    for values in islice(product(*map(meeting, bound)), MAX_TRIES):
        changes = {constraint.name: value for constraint, value in zip(bound, values, strict=True)}
        for index in range(len(operation.calls)):
            try:
                request = example(operation, rule, index=index, changes=changes).request
            except CallError:
                continue
            if isinstance(request, Refused):
                continue
            called = operation_table().match(request.method, request.segments)
            if called is None or operation.name in called.names:
                return
            others[called.text] = None
    if others:
        names = ", ".join(constraint.name for constraint in bound)
        yield f"{names}: the call is then {' or '.join(others)}, as the API's paths have it"


def _why_not(constraint: Constraint, operation: Operation) -> str | None:
    test = constraint.test
    if test.optional:
        return None
    if test.absent:
        return _why_not_absent(constraint, operation)
    if test.low is not None and test.high is not None and test.low > test.high:
        return f"no number is at least {test.low:g} and at most {test.high:g}"
    if constraint.place == "body":
        return None
    if test.only is not None:
        return "the parameter is text in the URL and no object"
    if constraint.place != "path":
        return None
    shapes = [_shape(call.template.segments, constraint.keys[0]) for call in calls(operation.name)]
    whys = [_why_not_path(test, shape) for shape in shapes if shape]
    return whys[0] if whys and None not in whys else None


def _why_not_absent(constraint: Constraint, operation: Operation) -> str | None:
    if constraint.place == "path":
        return "a variable of the path is never absent"
    if len(constraint.keys) == 1 and constraint.name in operation.required:
        return "the API requires it"
    return None


_Shape = tuple[Literal | Variable | Rest, ...]


def _shape(segments: tuple[Literal | Variable | Rest, ...], name: str) -> _Shape:
    """The segments of a call that make up a variable; empty where this call has no such variable."""
    return tuple(segment for segment in segments if segment.name == name)


def _why_not_path(test: Test, shape: _Shape) -> str | None:
    """Why no value of a path variable passes a test."""
    rest = any(isinstance(part, Rest) for part in shape)
    if test.prefix is not None and not rest and test.prefix[0].removeprefix("/").count("/") >= len(shape):
        return f"the value is {_segments(len(shape))} of the path, with no more slashes than that"
    if test.pattern is not None and test.separator == "/":
        template = test.pattern[0]
        open_ended = isinstance(template.segments[-1], Rest)
        count = len(template.segments)
        if not rest and (count > len(shape) or (count < len(shape) and not open_ended)):
            return f"the value is {_segments(len(shape))} of the path, and the pattern {_segments(count)}"
    if test.one_of is not None:
        return _why_no_value(test, shape, rest=rest)
    return None


def _why_no_value(test: Test, shape: _Shape, *, rest: bool) -> str | None:
    whys: list[str | None] = []
    for value in sorted(map(str, test.one_of or ())):
        plain = value.removeprefix("/") if test.kind.separator == "/" else value
        count = plain.count("/") + 1
        if not plain or (count < len(shape) if rest else count != len(shape)):
            whys.append(f"the value is {_segments(len(shape))} of the path; {value!r} is not")
        else:
            whys.append(None)
    return whys[0] if whys and None not in whys else None


def _segments(count: int) -> str:
    return "one segment" if count == 1 else f"{count} segments"
