"""What the observed objects of an operation say about limits: few are named, many below one folder or schema are that, and
the rest is not limited. What is proposed is always met by all that was observed."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from brickscope.analysis.example import plain
from brickscope.core.constraint import ABSENT
from brickscope.policy.where import parse_constraint

from .observation import Observation, Shape, Value

WATCHED = {"pattern": "{any...}", "optional": True}
"""A test that every value meets, so that the log gets it."""
_DOTTED = {2: ("schema", "table"), 3: ("catalog", "schema", "table")}


class Limit(NamedTuple):
    """What is said about one parameter. ``test``: as ``where`` has it, None for no limit. ``note``: in words, of counts and
    names that are not the log's."""

    name: str
    test: Any
    note: str = ""


def find_limits(seen: Observation, max_values: int) -> list[Limit]:
    """One for each parameter that says what the operation acts on."""
    known = [name for name, place in seen.operation.object.items() if place != "path" or name in seen.values]
    return [_limit(seen, name, max_values) for name in known]


def conditions(seen: Observation, limits: Sequence[Limit]) -> Iterator[dict[str, Any]]:
    """The ``where`` of each rule that the limits make: one, unless the named values were seen in some pairs only."""
    bound = [limit for limit in limits if limit.test is not None]
    if not bound:
        yield {}
        return
    named = [limit.name for limit in bound if isinstance(limit.test, list) and len(limit.test) > 1]
    if len(named) > 1 and len(named) == len(bound):
        names = list(seen.operation.object)
        pairs = {tuple(values[names.index(name)] for name in named) for values in seen.pairs}
        product = 1
        for limit in bound:
            product *= len(limit.test)
        if len(pairs) < product:
            yield from _apart(named, pairs)
            return
    yield {limit.name: limit.test for limit in bound}


def _apart(names: list[str], pairs: set[tuple[Value, ...]]) -> Iterator[dict[str, Any]]:
    """Two parameters with two values each would allow four pairs where two were seen."""
    together: dict[tuple[Value, ...], list[Value]] = {}
    for pair in sorted(pairs, key=str):
        together.setdefault(pair[:-1], []).append(pair[-1])
    for first, last in together.items():
        values = [*map(_written, first), [_written(each) for each in last]]
        yield dict(zip(names, values, strict=True))


def _limit(seen: Observation, name: str, max_values: int) -> Limit:
    if name in seen.unlogged:
        return Limit(name, None, f"{name} is not in the log: not limited")
    if name in seen.untold:
        return Limit(name, None, f"{name} is in the log as a digest only: not limited")
    values = seen.values.get(name)
    if not values:
        return Limit(name, None, f"{name} was never given: not limited")
    once = sum(not tally.is_repeated for tally in values.values())
    many = name in seen.many
    count = f"{'more than ' if many else ''}{len(values):,} different {name}"
    if not many and not once and len(values) <= max_values:
        named = [_written(each) for each in sorted(values, key=_order)]
        found = _checked(seen, name, named, "")
        return found or Limit(name, None, f"{count} seen: not limited")
    if len(values) > 1:
        shape = seen.shapes[name]
        for test, words in ((_prefix(shape), "in one folder"), (_pattern(shape), "of one pattern")):
            found = None if test is None else _checked(seen, name, test, f"{count} seen, all {words}")
            if found is not None:
                return found
    more = (
        f", {once:,} of them once" if 0 < once < len(values) else ", once" if once == len(values) == 1 else ""
    )
    return Limit(name, None, f"{count} seen{more}: not limited")


def _order(value: Value) -> tuple[bool, int, str]:
    text = str(value)
    return not text.isdecimal(), len(text) if text.isdecimal() else 0, text


def _written(value: Value) -> Any:
    return None if value is None else plain(value)


def _checked(seen: Observation, name: str, test: Any, note: str) -> Limit | None:
    """A limit that the policy's reader takes and that all observed values meet; None for another."""
    if name in seen.absent:
        test = {"one_of": test} if isinstance(test, list) else test
        test = {**test, "optional": True}
    wrong: list[str] = []
    made = parse_constraint(seen.operation, name, test, lambda message, *_: wrong.append(message))
    if made is None or wrong:
        return None
    met = all(made.test.takes(ABSENT if value is None else value) for value in seen.values[name])
    return Limit(name, test, note) if met else None


def _prefix(shape: Shape) -> dict[str, Any] | None:
    """The folder that all are in, of whole segments; None if it is less than two deep."""
    folder = shape.folder or []
    return {"prefix": "/".join(folder) + "/"} if len(list(filter(None, folder))) > 1 else None


def _pattern(shape: Shape) -> dict[str, Any] | None:
    """``main.sales.{table}`` for dotted names of one length that begin alike."""
    levels = shape.levels
    if levels is None or levels[0] is None:
        return None
    names = _DOTTED.get(len(levels)) or tuple(f"part{index}" for index in range(1, len(levels) + 1))
    parts = [f"{{{name}}}" if level is None else level for level, name in zip(levels, names, strict=True)]
    return {"pattern": ".".join(parts)}
