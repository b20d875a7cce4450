"""What a call has for the parameters that somebody asks about, as the proxy reads it."""

from collections.abc import Iterable
from typing import Any

from brickscope.catalog.catalog import Operation, load_catalog, operation_table
from brickscope.core.body import Number
from brickscope.core.constraint import ABSENT, Constraint, Test
from brickscope.core.decision import Refused
from brickscope.core.kind import KINDS, in_path
from brickscope.core.parameters import HeldBody, Parameters, looks_of, read_parameters
from brickscope.core.request import ApiRequest
from brickscope.core.rule import Rule


def parts(request: ApiRequest, body: bytes) -> list[tuple[Rule, HeldBody]]:
    """The calls of known operations in a request, in its plain reading: what the catalogue says, and what each has for a
    body. One, or of a body of JSON-RPC one for each of its messages; none where the proxy can't say which."""
    if not request.readings:
        return []
    called = operation_table().match(request.method, request.readings[0].route)
    if called is None:
        return []
    held = HeldBody(request, b"" if called.content else body)
    if not called.messages:
        return [(called, held)]
    try:
        operations = dict(called.messages)
        _, messages = held.messages(operations)
    except Refused:
        return []
    return [
        (called._replace(text=operations[message.method], messages=()), content)
        for message, content in messages
        if message.method in operations
    ]


def see(
    request: ApiRequest, body: bytes, constraints: Iterable[Constraint], operation: str | None = None
) -> Parameters | None:
    """The parameters of a call's plain reading, for these constraints. ``operation``: of which call, where a body holds
    several; the first otherwise. None for a call of no known operation.

    Raises Refused where the proxy would.
    """
    for called, held in parts(request, body):
        if operation in (None, called.text):
            reading = request.readings[0]
            return read_parameters(request, reading, called.template, held, looks_of(constraints))
    return None


def see_all(request: ApiRequest, body: bytes, name: str, names: Iterable[str]) -> dict[str, Any]:
    """What a call of the operation ``name`` has for parameters (dotted for what lies below), as it came; ABSENT for what it
    lacks. Without those that the operation has not, or of which nobody can say what the call has."""
    operation = load_catalog().operations.get(name)
    if operation is None:
        return {}
    constraints = looks_at(operation, names)
    found: dict[str, Any] = {}
    try:
        parameters = see(request, body, constraints, name)
        for constraint in constraints if parameters is not None else ():
            values = parameters.values(constraint)  # type: ignore[union-attr]
            found[constraint.name] = values.sent if values.odd or values.given else ABSENT
    except Refused:
        return {}
    return found


def looks_at(operation: Operation, names: Iterable[str]) -> list[Constraint]:
    """What looks at parameters of an operation and says nothing of them; of those that it has not, nothing."""
    found = []
    for each in names:
        way = operation.way(each)
        place = operation.place(way.partition(".")[0])
        if place is not None:
            keys = operation.keys_of(each) if place == "body" else (way,)
            found.append(Constraint(each, place, keys, Test(), ""))
    return found


def objects_of(operation: str, name: str, value: Any) -> tuple[str, ...]:
    """The objects that a parameter's value may name, in their canonical forms; none where it is not regular, or says itself
    what it names."""
    known = load_catalog().operations.get(operation)
    name = name if known is None else known.way(name)
    place = None if known is None else known.place(name.partition(".")[0])
    if known is None or place is None or not isinstance(value, str):
        return ()
    kind = KINDS.get((known.type_of(known.keys_of(name)) or "any").strip("[]"), KINDS["object"])
    found = (in_path(kind) if place == "path" else kind).read(value) if kind.names else None
    return tuple(map(str, found)) if found and found != (value,) else ()


def is_plain(value: Any) -> bool:
    """Whether a rule can name a value: text, an integer or a truth value."""
    return isinstance(value, str | int) and not isinstance(value, Number)
