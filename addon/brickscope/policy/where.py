"""``where`` and ``only``: constraints of one operation, from what is written to what is checked."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from brickscope.catalog.catalog import Operation, call_rules, operation_table
from brickscope.catalog.record import load_records
from brickscope.core.constraint import Constraint, Test, ancestors
from brickscope.core.hostname import is_app, is_hostname
from brickscope.core.kind import KINDS, Canonical, Either, Kind, in_path, pattern_forms, prefix_forms
from brickscope.core.template import Literal, Rest, Segment, Template, TemplateError, Variable, parse_template

from .problem import nearest

KEYS = ("one_of", "prefix", "pattern", "min", "max", "absent", "only", "optional")
Fail = Callable[[str, str, tuple[str | int, ...]], None]
"""Takes a message, a hint, and the way to what is wrong within the entry."""


def parse_constraint(
    operation: Operation, name: str, written: Any, fail: Fail, *, denies: bool = False
) -> Constraint | None:
    """The constraint on a parameter (``job_id``, ``settings.name``); None where something is wrong with it.

    ``denies``: of a rule that denies, which compares in the wider forms of its kind.
    """
    within = ("where", name)
    try:
        keys, place = _way(operation, name)
        if place == "path":
            _refuse_address(operation, keys[0], written)
        kind, many = _kind(operation.type_of(keys))
        if len(keys) > 1 and operation.type_of(keys[:-1]) == "{text}":
            kind = KINDS["map_text"]
        test = _test(name, written, in_path(kind) if place == "path" else kind, place, denies)
        if keys == ("app",) and not all(
            is_hostname(each) and is_app(each) for each in map(str, test.one_of or ())
        ):
            raise _Wrong("an app is named by its host", "NAME-ID.CLOUD.databricksapps.com, in small letters")
    except _Wrong as error:
        fail(error.message, error.hint, (*within, *error.way))
        return None
    if place == "path":
        refuse: Callable[[str, str], None] = lambda message, hint: fail(message, hint, within)  # noqa: E731
        _refuse_others(operation, keys[0], test, refuse)
        _refuse_misfits(operation, keys[0], test, refuse)
    # The official SDK writes an object in a query as `filter_by.statuses=`.
    way = (".".join(keys),) if place == "query" else keys
    below = None
    if denies:
        below = [] if test.kind.covers else operation.below_of(keys)
        every = operation.every_of(keys)
        test = _with_all_below(test) if test.kind.covers else test
        test = test._replace(every=test.kind.every.union(every), ancestors=_ancestors(test))
    return Constraint(
        name,
        place,
        way,
        test,
        f"{name} {_words(written)}",
        many and place == "query",
        frozenset(operation.stand_ins_of(keys)),
        frozenset(operation.alternatives_of(keys)),
        None if below is None else tuple(below),
        frozenset(
            depth
            for depth in range(1, len(keys) + 1)
            if place == "body" and (operation.type_of(keys[:depth]) or "").startswith("{")
        ),
        place == "path" and keys[0] in operation.body,
    )


class _Wrong(Exception):
    """What is wrong with a constraint, and what to write instead. ``way``: to it, within the constraint."""

    def __init__(self, message: str, hint: str = "", way: tuple[int, ...] = ()) -> None:
        self.message, self.hint, self.way = message, hint, way


def _way(operation: Operation, name: str) -> tuple[tuple[str, ...], str]:
    """The way to a parameter, and whether it is in path, query or body."""
    keys = operation.keys_of(name)
    place = operation.place(keys[0])
    if place is None:
        first, known = (
            name.partition(".")[0],
            [*operation.means, *operation.path, *operation.query, *operation.body],
        )
        hint = nearest(first, known) or f"it has {', '.join(known[:12])}" if known else "it has none"
        raise _Wrong(f"{operation.name} has no parameter {first!r}", hint)
    if len(keys) > 1 and (place == "path" or "" in keys):
        raise _Wrong(f"{keys[0]!r} is not an object in the body, so nothing is below it", f"write {keys[0]}")
    for depth in range(1, len(keys)):
        kind = operation.type_of(keys[:depth])
        if kind is not None and operation.type_of(keys[: depth + 1]) is None:
            holder = load_records().get(kind.strip("[]"))
            hint = "" if holder is None else nearest(keys[depth], holder.types)
            raise _Wrong(f"{operation.name} has no parameter {'.'.join(keys[: depth + 1])!r}", hint)
    return keys, place


def _refuse_address(operation: Operation, name: str, written: Any) -> None:
    """A whole address, where a variable of it belongs: no call has it there."""
    tests = list(written.values()) if isinstance(written, Mapping) else [written]
    texts = [str(text) for test in tests for text in (test if isinstance(test, list) else [test])]
    for rule in call_rules(operation):
        head = str(rule.template).partition("{")[0]
        behind = [text.partition(head)[2] for text in texts if head in text and len(head) > 1]
        if behind:
            raise _Wrong(f"{name} is what stands behind {head}", f"write {behind[0]}" if behind[0] else "")


def spelled_out(
    operation: Operation, where: Mapping[str, Any], *, denies: bool = False
) -> Iterator[dict[str, Any]]:
    """What a ``where`` says of an operation in which a word stands for several of its parameters: the ``where`` of each rule
    that it makes. To allow, one of them is given and all that are given meet the test; to deny, one that meets it is enough.

    A word stands for its own parameter alone where another that it means is named as well.
    """
    choices = [
        list(_choices(operation, name, test, denies))
        if len(operation.means.get(name, ())) > 1
        and where.keys().isdisjoint({*operation.means[name]} - {name})
        else [{name: test}]
        for name, test in where.items()
    ]
    for choice in product(*choices):
        yield {name: test for each in choice for name, test in each.items()}


def twins(operation: Operation, where: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is said of parameters of another part, where given: ``driver_node_type_id`` beside ``node_type_id``."""
    for name, test in where.items():
        keys = operation.keys_of(name)
        written = dict(test) if isinstance(test, Mapping) else {"one_of": test}
        for other in operation.stand_ins_of(keys):
            ends = other[-1].endswith(f"_{keys[-1]}") or keys[-1].endswith(f"_{other[-1]}")
            if ends and operation.type_of(other) == operation.type_of(keys) and ".".join(other) not in where:
                yield ".".join(other), {**written, "optional": True}


def _choices(operation: Operation, word: str, test: Any, denies: bool) -> Iterator[dict[str, Any]]:
    members = operation.means[word]
    written = dict(test) if isinstance(test, Mapping) else {"one_of": test}
    optional = written.pop("optional", False) is True
    if denies:
        yield from ({name: written} for name in members if not written.get("absent"))
        if optional or written.get("absent"):
            yield {name: {"absent": True} for name in members}
        return
    others = written if written.get("absent") else {**written, "optional": True}
    if optional or written.get("absent"):
        yield dict.fromkeys(members, others)
        return
    always = [name for name in members if name in operation.path]
    for given in always or members:
        yield {name: written if name == given or name in always else others for name in members}


def _with_all_below(test: Test) -> Test:
    """A test of what acts on all below it, be it in a call or a rule: a deny on ``config`` is one on ``config.x``."""
    between, shapes = test.kind.separator, test.pattern or ()
    if test.one_of is not None:
        named = {str(each).removesuffix(between) for each in test.one_of}
        return test._replace(one_of=None, prefix=tuple([f"{each}{between}" for each in sorted(named)]))
    further = tuple([Template((*each.segments, Rest("below", None))) for each in shapes])
    return test._replace(pattern=(*shapes, *further) or None, rooted=test.rooted * (2 if further else 1))


def _ancestors(test: Test) -> frozenset[Canonical]:
    """What lies above all that a test names, for operations that act on all below their object."""
    return ancestors([*map(str, test.one_of or ()), *(test.prefix or ())], test.kind.separator or "/")


def unlimited(
    operation: Operation, where: Mapping[str, Any], constraints: Sequence[Constraint]
) -> tuple[Constraint, ...]:
    """The constraints of one rule; what stands in for their parameters is left out where ``where`` limits that as well."""
    limited = [tuple(each.split(".")) for name in where for each in operation.means.get(name, ())]
    limited += [
        tuple(constraint.keys[0].split(".")) if constraint.place == "query" else constraint.keys
        for constraint in constraints
    ]

    def left(names: frozenset[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
        return frozenset(name for name in names if not any(each[: len(name)] == name for each in limited))

    return tuple(
        each._replace(stand_ins=left(each.stand_ins), alternatives=left(each.alternatives))
        for each in constraints
    )


def _kind(type_of: str | None) -> tuple[Kind, bool]:
    """The kind of a value, by its type in the catalogue, and whether there may be several."""
    written = type_of or "any"
    many = written.startswith("[")
    while written.startswith("["):
        written = written[1:-1]
    return KINDS["object" if written.startswith("{") or "." in written else written], many


def _refuse_others(operation: Operation, name: str, test: Test, fail: Callable[[str, str], None]) -> None:
    """A value that makes the call another operation's: `permissions.set` of `jobs` is `jobs.set_permissions`."""
    for value in test.one_of or ():
        owners = set()
        for rule in call_rules(operation):
            parts = rule.template.segments
            if [each.name for each in parts].count(name) != 1 or "/" in str(value):
                continue
            path = [str(value) if each.name == name else getattr(each, "text", "x") for each in parts]
            owner = operation_table().match(rule.method, path)
            owners.add(
                None if owner is None else operation.name if operation.name in owner.names else owner.text
            )
        if owners and operation.name not in owners and None not in owners:
            fail(
                f"{operation.name} never has {name} {value!r}: that call is {', '.join(sorted(map(str, owners)))}",
                f"write {min(map(str, owners))}",
            )


def _refuse_misfits(operation: Operation, name: str, test: Test, fail: Callable[[str, str], None]) -> None:
    """A value that no call has: `main`, where it is `projects/*/branches/*`."""
    shapes = [
        [part for part in rule.template.segments if part.name == name] for rule in call_rules(operation)
    ]
    for value in [each.removeprefix("/") for each in (*map(str, test.one_of or ()), *(test.prefix or ()))]:
        parts = value.casefold().split("/")
        if not any(_fits_shape(parts, shape, begins=test.prefix is not None) for shape in shapes):
            form = "/".join(getattr(part, "text", "*") for part in shapes[0])
            fail(f"{operation.name} never has {name} {value!r}", f"it has the form {form}")


def _fits_shape(parts: Sequence[str], shape: Sequence[Segment], *, begins: bool) -> bool:
    """Whether these can be the parts of a value, or (``begins``) of its beginning, that segments of a path are."""
    if any(isinstance(each, Rest) for each in shape) or (len(shape) == 1 and isinstance(shape[0], Variable)):
        return True
    if len(parts) > len(shape) or (len(parts) < len(shape) and not begins):
        return False
    fixed = [getattr(each, "text", part).casefold() for part, each in zip(parts, shape, strict=False)]
    return fixed[:-1] == [*parts[:-1]] and (fixed[-1].startswith if begins else fixed[-1].__eq__)(parts[-1])


def _test(name: str, written: Any, kind: Kind, place: str, denies: bool) -> Test:
    if not isinstance(written, Mapping):
        return _one_of(written, kind, place, denies)
    unknown = [key for key in written if key not in KEYS]
    if unknown:
        hint = nearest(unknown[0], KEYS) or f"one of {', '.join(KEYS)}"
        if kind.name == "object":
            hint = f"what is in an object has a name with a dot: {name}.{unknown[0]}"
        raise _Wrong(f"unknown test {unknown[0]!r}", hint)
    optional = written.get("optional", False)
    if not isinstance(optional, bool):
        raise _Wrong("optional is true or false", "optional: true, or delete the key")
    tests = [key for key in written if key != "optional"]
    if len(tests) != 1 and set(tests) != {"min", "max"}:
        message = "a constraint is one test (min and max count as one)"
        raise _Wrong(message, "write one rule for each, or a list of values")
    return _single(tests[0], written, kind, place, denies)._replace(optional=optional)


def _single(test: str, written: Mapping[str, Any], kind: Kind, place: str, denies: bool) -> Test:
    value = written[test]
    if test == "one_of":
        return _one_of(value, kind, place, denies)
    if test == "absent":
        if value is True:
            return Test(kind, absent=True)
        raise _Wrong("absent is true, or left out", "absent: true")
    if test in ("min", "max"):
        return _range({key: written[key] for key in ("min", "max") if key in written}, kind)
    if test == "only":
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return Test(kind, only=frozenset(value))
        raise _Wrong("only is a list of keys", "only: [name]")
    if isinstance(value, list):
        raise _Wrong(f"{test} is one text", "write one rule for each")
    if not isinstance(value, str) or not value:
        raise _Wrong(f"{test} is text", f"write {test}: and the text, which may need quotes")
    if test == "pattern" and _ALL.fullmatch(value):
        return Test(kind, pattern=(parse_template(f"/{value}"),), separator="/")  # whatever is regular
    if kind.ordered or kind is KINDS["boolean"]:
        message = f"the parameter is {_article(kind)}, which has no {test}"
        raise _Wrong(message, "a list of values, or min and max")
    if "/" in value and not kind.separator:
        kind = KINDS["slashed"] if place != "path" else in_path(KINDS["slashed"])
    if place == "path" and kind.separator == "/" and not value.startswith("/"):
        value = f"/{value}"
    return (_prefix if test == "prefix" else _pattern)(value, kind, denies)


_ALL = re.compile(r"\{[A-Za-z_]\w*\.\.\.\}")


def _article(kind: Kind) -> str:
    return f"{'an' if kind.name[0] in 'aeiou' else 'a'} {_named(kind)}"


def _named(kind: Kind) -> str:
    return kind.name.replace("_", " ")


def _range(ends: Mapping[str, Any], kind: Kind) -> Test:
    read: Any = kind.read if kind.name == "number" else lambda each: (each,) if type(each) is int else None
    low, high = [read(ends[key]) if key in ends else (None,) for key in ("min", "max")]
    if low is None or high is None:
        raise _Wrong("min and max are integers", "an integer in decimal digits, without quotes")
    if not kind.ordered:
        if kind.name not in ("any", "id", "timestamp"):
            raise _Wrong(f"the parameter is {_article(kind)}, which can't be ordered", "a list of values")
        kind = KINDS["integer"]
    return Test(kind, low=low[0], high=high[0])


def _refuse_variables(value: bool | int | str, kind: Kind, way: tuple[int, ...] = ()) -> None:
    """A name or path with a variable in it, which only a pattern has."""
    if kind.separator and isinstance(value, str) and _VARIABLE.search(value):
        pattern = f"{value}{{rest...}}" if value.endswith("/") else value
        raise _Wrong(f"the variable in {value!r} is for a pattern", f"write {{pattern: {pattern!r}}}", way)


_VARIABLE = re.compile(r"(?:^|[./])\{[A-Za-z_]\w*(?:\.{3})?\}(?:[./]|$)")
_REGULAR = "docs/rules.md lists the regular form of each kind"


def _prefix(value: str, kind: Kind, denies: bool) -> Test:
    _refuse_variables(value, kind)
    forms = prefix_forms(kind, value, denies=denies)
    if not forms:
        raise _Wrong(f"no regular {_named(kind)} begins so", _REGULAR)
    return Test(kind, prefix=forms, separator=kind.separator or "/")


def _pattern(value: str, kind: Kind, denies: bool) -> Test:
    separator = kind.separator or ("/" if "/" in value else ".")
    path = value if separator == "/" else value.replace(".", "/").replace("///", "...")
    try:
        template: Template = parse_template(path if path.startswith("/") else f"/{path}")
    except TemplateError as error:
        hint = "{name} is one segment, {name...} the rest"
        hint = hint if "variable" in str(error) else error.hint or hint
        raise _Wrong(f"the pattern can't be used: {error}", hint) from None
    if any(not isinstance(part, Literal) and part.verb is not None for part in template.segments):
        raise _Wrong("a verb (':run') can't be part of a value", "{name}")
    forms = pattern_forms(kind, template, separator, rooted=path.startswith("/"), denies=denies)
    if not forms:
        raise _Wrong(f"no regular {_named(kind)} fits it", _REGULAR)
    templates, rooted = zip(*forms, strict=True)
    return Test(kind, pattern=templates, separator=separator, rooted=rooted)


def _one_of(written: Any, kind: Kind, place: str, denies: bool) -> Test:
    found: set[Canonical] = set()
    read = kind.suspect if denies else kind.read
    values = written if isinstance(written, list) else [written]
    if kind.name == "field_mask" and isinstance(written, str):
        values = written.split(",")
    for index, value in enumerate(values):
        way = (index,) if values is written else ()
        if not isinstance(value, bool | int | str):
            message = "a value is text, an integer, true or false"
            hint = "a mapping such as {prefix: dev_} is a test"
            raise _Wrong(message, f"{hint}; write one rule for each" if way else hint, way)
        if place == "path" and not kind.separator and isinstance(value, str):
            value = value.strip("/")  # which are the URL's own: `/api/x` of an app is `api/x` behind its host
        _refuse_variables(value, kind, way)
        # YAML reads `1012` and `true` as what they look like; where the API has text, they are meant as text.
        objects = read(value)
        if objects is None and not isinstance(value, str):
            objects = read(("true" if value else "false") if isinstance(value, bool) else str(value))
        if objects is None:
            raise _Wrong(f"{value!r} is no regular {_named(kind)}", _HINTS.get(kind.name, _REGULAR), way)
        found.update(objects if denies else [Either.of(objects)])
    if not values:
        raise _Wrong("the list is empty, so nothing would be allowed", "list values, or delete the key")
    return Test(kind, one_of=frozenset(found))


_HINTS = {
    "integer": "an integer in decimal digits",
    "boolean": "true or false",
    "enum": "the word as in the API, in capital letters",
    "object": "the parameter is an object: limit what is in it (name.key), or its keys by only",
    "workspace_path": "a path from the root, such as /Workspace/Shared/etl",
    "import_path": "a path from the root, such as /Workspace/Shared/etl",
}


def _words(written: Any) -> str:
    """A constraint in words, for a denial: ``is one of 1012, 1013``."""
    if not isinstance(written, Mapping):
        written = {"one_of": written}
    values = written.get("one_of")
    if values is not None:
        listed = values if isinstance(values, list) else [values]
        shown = ", ".join(
            [str(each).lower() if isinstance(each, bool) else str(each) for each in listed[:10]]
        )
        if len(listed) > 10:
            shown += f" and {len(listed) - 10} more"
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
