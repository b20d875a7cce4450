"""``where`` and ``only``: constraints of one operation, from what is written to what is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from brickscope.catalog.catalog import Operation, call_rules, operation_table
from brickscope.core.constraint import Constraint, Test
from brickscope.core.template import Template, TemplateError, parse_template

from .problem import nearest

KEYS = ("one_of", "prefix", "pattern", "min", "max", "absent", "only", "optional")
Fail = Callable[[str, str], None]
"""Takes a message and a hint."""


def parse_constraint(operation: Operation, name: str, written: Any, fail: Fail) -> Constraint | None:
    """The constraint on a parameter (``job_id``, ``settings.name``); None where something is wrong with it."""
    keys = tuple(name.split("."))
    place = operation.place(keys[0])
    if place == "query":
        keys = (name,)  # the official SDK writes an object in a query as `filter_by.statuses=`
    if place is None:
        known = [*operation.path, *operation.query, *operation.body]
        fail(
            f"{operation.name} has no parameter {name.partition('.')[0]!r}",
            nearest(name.partition(".")[0], known) or f"it has {', '.join(known[:12])}"
            if known
            else "it has none",
        )
        return None
    if len(keys) > 1 and (place != "body" or "" in keys):
        fail(f"{keys[0]!r} is no object in the body, so nothing is below it", f"write {keys[0]}")
        return None
    test = _test(written, fail)
    if test is not None and place == "path":
        test = _without_slash(test)
        _refuse_others(operation, name, test, fail)
    return None if test is None else Constraint(name, place, keys, test, f"{name} {_words(written)}")


def _refuse_others(operation: Operation, name: str, test: Test, fail: Fail) -> None:
    """A value that makes the call another operation's: `permissions.set` of `jobs` is `jobs.set_permissions`."""
    for value in test.one_of or ():
        owners = set()
        for rule in call_rules(operation):
            parts = rule.template.segments
            if [each.name for each in parts].count(name) != 1 or "/" in str(value):
                continue
            path = [str(value) if each.name == name else getattr(each, "text", "x") for each in parts]
            owner = operation_table().match(rule.method, path)
            owners.add(None if owner is None else owner.text)
        if owners and operation.name not in owners and None not in owners:
            fail(
                f"{operation.name} never has {name} {value!r}: that call is {', '.join(sorted(map(str, owners)))}",
                f"write {min(map(str, owners))}",
            )


def _without_slash(test: Test) -> Test:
    """Values in a path are bound without the slash before them, as which clients write `/Volumes/main/a.csv`; and a
    word in it is no truth value."""
    one_of = test.one_of
    if one_of is not None:
        one_of = frozenset(
            ("true" if each else "false") if isinstance(each, bool) else each.removeprefix("/")
            for each in one_of
        )
    prefix = None if test.prefix is None else test.prefix.removeprefix("/")
    return test._replace(one_of=one_of, prefix=prefix)


def _test(written: Any, fail: Fail) -> Test | None:
    if not isinstance(written, Mapping):
        values = written if isinstance(written, list) else [written]
        return _one_of(values, fail)
    unknown = [key for key in written if key not in KEYS]
    if unknown:
        fail(f"unknown test {unknown[0]!r}", nearest(unknown[0], KEYS) or f"one of {', '.join(KEYS)}")
        return None
    optional = written.get("optional", False)
    if not isinstance(optional, bool):
        fail("optional is true or false", "")
        return None
    tests = [key for key in written if key != "optional"]
    if len(tests) != 1 and set(tests) != {"min", "max"}:
        fail(
            "a constraint is one test (min and max count as one)",
            "write one rule for each, or a list of values",
        )
        return None
    test = _single(tests[0], written, fail)
    return None if test is None else test._replace(optional=optional)


def _single(kind: str, written: Mapping[str, Any], fail: Fail) -> Test | None:
    value = written[kind]
    if kind == "one_of":
        return _one_of(value if isinstance(value, list) else [value], fail)
    if kind == "absent":
        if value is True:
            return Test(absent=True)
        fail("absent is true, or not written", "absent: true")
        return None
    if kind in ("min", "max"):
        low, high = written.get("min"), written.get("max")
        if any(
            each is not None and (isinstance(each, bool) or not isinstance(each, int)) for each in (low, high)
        ):
            fail("min and max are whole numbers", "")
            return None
        return Test(low=low, high=high)
    if kind == "only":
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return Test(only=frozenset(value))
        fail("only is a list of keys", "only: [name]")
        return None
    if not isinstance(value, str) or not value:
        fail(f"{kind} is text", "")
        return None
    return Test(prefix=value) if kind == "prefix" else _pattern(value, fail)


def _pattern(value: str, fail: Fail) -> Test | None:
    separator = "/" if "/" in value else "."
    path = value if separator == "/" else value.replace(".", "/").replace("///", "...")
    try:
        template: Template = parse_template(path if path.startswith("/") else f"/{path}")
    except TemplateError as error:
        fail(f"the pattern can't be used: {error}", error.hint or "{name} is one segment, {name...} the rest")
        return None
    return Test(pattern=(template, separator))


def _one_of(values: list[Any], fail: Fail) -> Test | None:
    found: set[str | bool] = set()
    for value in values:
        if isinstance(value, bool):
            found.add(value)
        elif isinstance(value, int | str):
            found.add(str(value))
        else:
            fail(
                "a value is text, a whole number, true or false", "a mapping such as {prefix: dev_} is a test"
            )
            return None
    if not values:
        fail("the list is empty, so nothing would be allowed", "")
        return None
    return Test(one_of=frozenset(found))


def _words(written: Any) -> str:
    """A constraint in words, for a denial: ``is one of 1012, 1013``."""
    if not isinstance(written, Mapping):
        written = {"one_of": written}
    values = written.get("one_of")
    if values is not None:
        listed = values if isinstance(values, list) else [values]
        shown = ", ".join(map(str, listed[:10])) + (" …" if len(listed) > 10 else "")
        text = f"is {shown}" if len(listed) == 1 else f"is one of {shown}"
    elif "prefix" in written:
        text = f"begins with {written['prefix']}"
    elif "pattern" in written:
        text = f"fits {written['pattern']}"
    elif written.get("absent"):
        text = "is absent"
    elif "only" in written:
        text = f"has no keys but {', '.join(written['only'])}"
    else:
        ends = [
            f"{word} {written[key]}"
            for key, word in (("min", "at least"), ("max", "at most"))
            if key in written
        ]
        text = f"is {' and '.join(ends)}"
    return f"{text} or absent" if written.get("optional") else text
