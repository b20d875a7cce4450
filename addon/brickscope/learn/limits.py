"""What the observed objects of an operation say about limits: few are named, many below one folder or schema are that, and
the rest is not limited. What is proposed is always met by all that was observed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from brickscope.catalog.catalog import Operation
from brickscope.core.constraint import Constraint
from brickscope.core.parameters import ABSENT
from brickscope.policy.where import parse_constraint
from brickscope.trial.example import plain

from .observation import Observation, Tally, Value

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
    return [_limit(seen, index, name, max_values) for index, name in enumerate(seen.operation.object)]


def conditions(seen: Observation, limits: Sequence[Limit]) -> Iterator[dict[str, Any]]:
    """The ``where`` of each rule that the limits make: one, unless the named values were seen in some pairs only."""
    bound = [limit for limit in limits if limit.test is not None]
    if not bound:
        yield {}
        return
    named = [limit.name for limit in bound if isinstance(limit.test, list) and len(limit.test) > 1]
    if len(named) > 1 and len(named) == len(bound):
        names = list(seen.operation.object)
        pairs = {tuple(values[names.index(name)] for name in named) for values in seen.objects}
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


def _limit(seen: Observation, index: int, name: str, max_values: int) -> Limit:
    if name in seen.unlogged:
        return Limit(name, None, f"{name} is not in the log: not limited")
    if name in seen.untold:
        return Limit(name, None, f"{name} is in the log as a digest only: not limited")
    tallies: dict[Value, list[Tally]] = {}
    for values, tally in seen.objects.items():
        tallies.setdefault(values[index], []).append(tally)
    absent = tallies.pop(None, None) is not None
    if not tallies:
        return Limit(name, None, f"{name} was never given: not limited")
    once = sum(not _is_repeated(each) for each in tallies.values())
    count = f"{'more than ' if seen.too_many else ''}{len(tallies):,} different {name}"
    if not seen.too_many and not once and len(tallies) <= max_values:
        named = [_written(each) for each in sorted(tallies, key=_order)]
        return _checked(seen.operation, name, named, tallies, absent, "") or Limit(
            name, None, f"{count} seen: not limited"
        )
    texts = [each for each in tallies if isinstance(each, str)]
    if len(texts) == len(tallies) > 1 and not seen.too_many:
        for test, words in ((_prefix(texts), "in one folder"), (_pattern(texts), "of one pattern")):
            found = test and _checked(
                seen.operation, name, test, tallies, absent, f"{count} seen, all {words}"
            )
            if found:
                return found
    more = (
        f", {once:,} of them once"
        if 0 < once < len(tallies)
        else ", once"
        if once and len(tallies) == 1
        else ""
    )
    return Limit(name, None, f"{count} seen{more}: not limited")


def _is_repeated(tallies: list[Tally]) -> bool:
    return sum(each.calls for each in tallies) > 1 or len(set().union(*(each.days for each in tallies))) > 1


def _order(value: Value) -> tuple[bool, int, str]:
    text = str(value)
    return not text.isdecimal(), len(text) if text.isdecimal() else 0, text


def _written(value: Value) -> Any:
    return None if value is None else plain(value)


def _checked(
    operation: Operation, name: str, test: Any, values: Mapping[Value, Any], absent: bool, note: str
) -> Limit | None:
    """A limit that the policy's reader takes and that all observed values meet; None for another."""
    if absent:
        test = {"one_of": test} if isinstance(test, list) else test
        test = {**test, "optional": True}
    wrong: list[str] = []
    made: Constraint | None = parse_constraint(
        operation, name, test, lambda message, _: wrong.append(message)
    )
    if made is None or wrong:
        return None
    if not all(made.test.is_met(value, query=made.place == "query") for value in values):
        return None
    return Limit(name, test, note) if not absent or made.test.is_met(ABSENT) else None


def _prefix(texts: Sequence[str]) -> dict[str, Any] | None:
    """The folder that all are in, of whole segments; None if it is less than two deep."""
    parts = [text.split("/")[:-1] for text in texts]
    common: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return {"prefix": "/".join(common) + "/"} if len([each for each in common if each]) > 1 else None


def _pattern(texts: Sequence[str]) -> dict[str, Any] | None:
    """``main.sales.{table}`` for dotted names of one length that begin alike."""
    parts = [text.split(".") for text in texts]
    length = len(parts[0])
    if length < 2 or any(len(each) != length for each in parts) or any("/" in text for text in texts):
        return None
    names = _DOTTED.get(length) or tuple(f"part{index}" for index in range(1, length + 1))
    levels = [set(level) for level in zip(*parts, strict=True)]
    if len(levels[0]) > 1:
        return None
    # A brace in a name would become a variable.
    if any("{" in text or "}" in text for text in texts):
        return None
    shape = [
        level.pop() if len(level) == 1 else f"{{{name}}}" for level, name in zip(levels, names, strict=True)
    ]
    return {"pattern": ".".join(shape)}
