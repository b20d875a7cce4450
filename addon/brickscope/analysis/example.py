"""Example calls: of an operation, of one that meets a rule, of a path rule. Made up, but plausible to a reader.

An example is a proposal. Whether a policy allows it is for ``judge`` to say: another rule may deny it, or two constraints
can't be met together.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from brickscope.catalog.catalog import Operation, call_template
from brickscope.core.constraint import ABSENT, Constraint, Test
from brickscope.core.decision import Refused
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule
from brickscope.core.template import Literal, Rest, Template
from brickscope.shipped import table

from .call import Call, Home, read_call, read_sent
from .placement import fill, place
from .sent import CallError, Sent

UNNAMED: tuple[Any, ...] = (ABSENT, "20771", "elsewhere", "/elsewhere", 20771)
"""Values that a condition is not likely to name."""


def made_up(name: str) -> Any:
    """A plausible value for a parameter of this name."""
    known = table(__package__, "made_up.yaml")
    if name in known:
        return known[name]
    return "1012" if name == "id" or name.endswith(("_id", "Id")) else "example"


def meeting(constraint: Constraint) -> list[Any]:
    """Values that meet a constraint, the most telling first; ABSENT among them where it may be absent."""
    test = constraint.test
    values = _values(test)
    return [*values, ABSENT] if test.optional or test.absent else values


def _values(test: Test) -> list[Any]:
    if test.one_of is not None:
        return [
            plain(value)
            for value in sorted(test.one_of, key=lambda value: (isinstance(value, bool), str(value)))
        ]
    if test.prefix is not None:
        return [f"{test.prefix[0]}x"]
    if test.pattern is not None:
        return [instance(test.pattern[0], test.separator)]
    if test.low is not None or test.high is not None:
        ends = [each for each in dict.fromkeys((test.low, test.high)) if each is not None]
        return [plain(each) for each in ends]
    if test.only is not None:
        return [dict.fromkeys(sorted(test.only), "x")]
    return []


def plain(value: Any) -> Any:
    """A canonical value as people and JSON write it: an integer without quotes, a number as one."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    decimal = isinstance(value, str) and len(value) < 19 and value.isdecimal()
    return int(value) if decimal and str(int(value)) == value else value


def instance(template: Template, separator: str, word: str = "x") -> str:
    """A text that fits a pattern, with this word for its variables."""
    parts = [segment.text if isinstance(segment, Literal) else word for segment in template.segments]
    return ("/" if separator == "/" else "") + separator.join(parts)


def example(
    operation: Operation,
    rule: OperationRule | None = None,
    home: Home = Home(),  # noqa: B008 - immutable
    *,
    index: int = 0,
    changes: Mapping[str, Any] | None = None,
) -> Call:
    """A call of an operation by its ``index``-th call; with parameters that meet ``rule``, and then with ``changes``
    (ABSENT takes a parameter out). Raises CallError where no such call can be written."""
    only = None if rule is None else rule.only
    values = {name: made_up(name) for name in operation.required if only is None or name in only}
    chosen: dict[str, Any] = {}
    for constraint in () if rule is None else rule.where:
        found = meeting(constraint)
        if found:
            chosen[constraint.name] = found[0]
    chosen |= changes or {}
    for name in sorted(chosen, key=lambda name: name.count(".")):
        first = name.partition(".")[0]
        if first != name and not isinstance(values.get(first), dict):
            values.pop(first, None)  # `queue.enabled` is said below; a made-up `queue` would be in its way
        values[name] = chosen[name]
    values = {name: value for name, value in values.items() if value is not ABSENT}
    template = call_template(operation.calls[index].partition(" ")[2])
    for part in template.segments:
        if part.name and part.name not in chosen:
            values[part.name] = _path_value(template, part.name)
    # Variables that only another version of the call has.
    here = {part.name for part in template.segments if part.name}
    values = {name: value for name, value in values.items() if name in here or name not in operation.path}
    return read_sent(place(operation.name, values, index), home)


def tried(
    operation: Operation,
    rule: OperationRule | None,
    home: Home,
    *,
    index: int = 0,
    changes: Mapping[str, Any] | None = None,
) -> Iterator[Call]:
    """The example, as above; nothing where no such call can be written."""
    with suppress(CallError):
        yield example(operation, rule, home, index=index, changes=changes)


def variations(
    operation: Operation, rule: OperationRule | None, home: Home, changes: Mapping[str, Any] | None = None
) -> Iterator[Call]:
    """The example by each of the operation's calls."""
    for index in range(len(operation.calls)):
        yield from tried(operation, rule, home, index=index, changes=changes)


def mirrored(call: Call) -> Iterator[Call]:
    """The same call by the mirror that the web interface uses, /ajax-api; nothing where there is none."""
    request = call.request
    if isinstance(request, Refused) or not request.path.startswith("/api/"):
        return
    headers = [("Content-Type", "application/json")] if call.body else []
    url = call.url.replace("/api/", "/ajax-api/", 1)
    with suppress(CallError):
        yield read_sent(Sent(request.method, url, headers, call.body))


def _path_value(template: Template, name: str) -> str:
    """A value for a variable of several segments, some of them fixed."""
    parts = [part for part in template.segments if part.name == name]
    if len(parts) == 1 and not isinstance(parts[0], Literal):
        value = str(made_up(name))
        return value.strip("/") if isinstance(parts[0], Rest) else value.replace("/", "-")
    return "/".join(part.text if isinstance(part, Literal) else "example" for part in parts)


def path_example(
    rule: Rule,
    home: Home = Home(),  # noqa: B008 - immutable
    instead: Mapping[str, str] | None = None,
) -> Iterator[Call]:
    """A call that a path rule matches; ``instead``: other values for its variables. Nothing where it can't be written."""
    values = {
        part.name: _path_value(rule.template, part.name) for part in rule.template.segments if part.name
    }
    with suppress(CallError):
        path = fill(rule.template, values | dict(instead or {}), rule.text)
        yield read_call(f"{rule.method} {path}", home)
