"""What a call has for the parameters that somebody asks about, as the proxy reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.core.body import Number
from brickscope.core.constraint import ABSENT, Constraint, Test
from brickscope.core.decision import Refused
from brickscope.core.kind import KINDS, in_path
from brickscope.core.operation import as_sent
from brickscope.core.parameters import Parameters, looks_of, read_parameters
from brickscope.core.request import ApiRequest


def see(request: ApiRequest, body: bytes, constraints: Iterable[Constraint]) -> Parameters | None:
    """The parameters of a call's plain reading, for these constraints. None for a call of no known operation.

    Raises Refused where the proxy would.
    """
    if not request.readings:
        return None
    reading = request.readings[0]
    called = operation_table().match(request.method, reading.route)
    return called and read_parameters(request, reading, called.template, body, looks_of(constraints))


def see_all(request: ApiRequest, body: bytes, names: Iterable[str]) -> dict[str, Any]:
    """What a call has for parameters by name (dotted for what lies below), as it came; ABSENT for what it lacks. Without
    those that the operation has not, or of which nobody can say what the call has."""
    called = operation_table().match(request.method, request.segments)
    operation = None if called is None else load_catalog().operations.get(called.text)
    if operation is None:
        return {}
    constraints = []
    for name in names:
        place = operation.place(name.partition(".")[0])
        if place is not None:
            keys = tuple(name.split(".")) if place == "body" else (name,)
            constraints.append(Constraint(name, place, keys, Test(), ""))
    found: dict[str, Any] = {}
    try:
        parameters = see(request, body, constraints)
        for constraint in constraints if parameters is not None else ():
            values = parameters.values(constraint)  # type: ignore[union-attr]
            found[constraint.name] = as_sent(values) if values.odd or values.given else ABSENT
    except Refused:
        return {}
    return found


def objects_of(operation: str, name: str, value: Any) -> tuple[str, ...]:
    """The objects that a parameter's value may name, in their canonical forms; none where it is not regular, or says itself
    what it names."""
    known = load_catalog().operations.get(operation)
    place = None if known is None else known.place(name.partition(".")[0])
    if known is None or place is None or not isinstance(value, str):
        return ()
    kind = KINDS.get((known.type_of(tuple(name.split("."))) or "any").strip("[]"), KINDS["object"])
    found = (in_path(kind) if place == "path" else kind).read(value) if kind.names else None
    return tuple(map(str, found)) if found and found != (value,) else ()


def is_plain(value: Any) -> bool:
    """Whether a rule can name a value: text, an integer or a truth value."""
    return isinstance(value, str | int) and not isinstance(value, Number)
