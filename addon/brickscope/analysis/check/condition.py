"""Conditions that no call can meet (BS107)."""

from collections.abc import Iterator
from itertools import islice, product

from brickscope.analysis.call import Home
from brickscope.analysis.example import example, meeting, variations
from brickscope.analysis.sent import CallError
from brickscope.catalog.catalog import Operation, load_catalog, operation_table
from brickscope.core.constraint import ABSENT, Constraint
from brickscope.core.decision import Refused
from brickscope.core.operation import OperationRule
from brickscope.core.template import Rest
from brickscope.policy.written import WrittenRule

from ..algebra import names
from ..reach import calls

MAX_SEGMENTS = 4
"""Most segments that a variable of a path has, but for one that takes all."""
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
    for name in operation.required:
        if operation.place(name) != "path" and name not in names(rule):
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
        for call in variations(operation, rule, Home(), changes):
            request = call.request
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
    test, in_path = constraint.test, constraint.place == "path"
    if test.optional:
        return None
    if test.absent:
        required = len(constraint.keys) == 1 and constraint.name in operation.required
        return (
            "a variable of the path is never absent"
            if in_path
            else "the API requires it"
            if required
            else None
        )
    if test.low is not None and test.high is not None and test.low > test.high:
        return f"no number is at least {test.low:g} and at most {test.high:g}"
    if constraint.place == "body":
        return None
    if test.only is not None:
        return "the parameter is text in the URL and no object"
    return _why_no_path(constraint, operation) if in_path else None


def _why_no_path(constraint: Constraint, operation: Operation) -> str | None:
    """Why no value of a path variable meets a test: none of those that do, of any number of segments, fits in its place."""
    test = constraint.test
    values = [value for value in meeting(constraint) if value is not ABSENT]
    if test.prefix is not None or (test.pattern and isinstance(test.pattern[0].segments[-1], Rest)):
        values = [f"{value}{'/x' * more}" for value in values for more in range(MAX_SEGMENTS)]
    why = None
    for index, call in enumerate(calls(operation.name)):
        if any(part.name == constraint.keys[0] for part in call.template.segments):
            for value in values:
                try:
                    example(operation, index=index, changes={constraint.name: value})
                except CallError as error:
                    why = why or str(error)
                else:
                    return None
    return why
