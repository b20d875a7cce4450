"""What is written of one value (``dev``, ``{prefix: dev_}``), from text to the test by which it is checked."""

import re
from collections.abc import Mapping
from typing import Any

from brickscope.core.constraint import Test
from brickscope.core.kind import KINDS, Canonical, Either, Kind, in_path, pattern_forms, prefix_forms
from brickscope.core.template import Literal, Template, TemplateError, parse_template

from .problem import nearest

KEYS = ("one_of", "prefix", "pattern", "min", "max", "absent", "only", "optional")


class Wrong(Exception):
    """What is wrong with a constraint, and what to write instead. ``way``: to it, within the constraint."""

    def __init__(self, message: str, hint: str = "", way: tuple[int, ...] = ()) -> None:
        self.message, self.hint, self.way = message, hint, way


def kind_of(type_of: str | None) -> tuple[Kind, bool]:
    """The kind of a value, by its type in the catalogue, and whether there may be several."""
    written = type_of or "any"
    many = written.startswith("[")
    while written.startswith("["):
        written = written[1:-1]
    return KINDS["object" if written.startswith("{") or "." in written else written], many


def parse_test(name: str, written: Any, kind: Kind, place: str, denies: bool) -> Test:
    """The test of a value of a kind, as it is written. ``name``: of the parameter, for messages. Raises Wrong."""
    if not isinstance(written, Mapping):
        return _one_of(written, kind, place, denies)
    unknown = [key for key in written if key not in KEYS]
    if unknown:
        hint = nearest(unknown[0], KEYS) or f"one of {', '.join(KEYS)}"
        if kind.name == "object":
            hint = f"what is in an object has a name with a dot: {name}.{unknown[0]}"
        raise Wrong(f"unknown test {unknown[0]!r}", hint)
    optional = written.get("optional", False)
    if not isinstance(optional, bool):
        raise Wrong("optional is true or false", "optional: true, or delete the key")
    tests = [key for key in written if key != "optional"]
    if len(tests) != 1 and set(tests) != {"min", "max"}:
        message = "a constraint is one test (min and max count as one)"
        raise Wrong(message, "write one rule for each, or a list of values")
    return _single(tests[0], written, kind, place, denies)._replace(optional=optional)


def _single(test: str, written: Mapping[str, Any], kind: Kind, place: str, denies: bool) -> Test:
    value = written[test]
    if test == "one_of":
        return _one_of(value, kind, place, denies)
    if test == "absent":
        if value is True:
            return Test(kind, absent=True)
        raise Wrong("absent is true, or left out", "absent: true")
    if test in ("min", "max"):
        return _range({key: written[key] for key in ("min", "max") if key in written}, kind)
    if test == "only":
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return Test(kind, only=frozenset(value))
        raise Wrong("only is a list of keys", "only: [name]")
    if isinstance(value, list):
        raise Wrong(f"{test} is one text", "write one rule for each")
    if not isinstance(value, str) or not value:
        raise Wrong(f"{test} is text", f"write {test}: and the text, which may need quotes")
    if test == "pattern" and _ALL.fullmatch(value):
        return Test(kind, pattern=(parse_template(f"/{value}"),), separator="/")  # whatever is regular
    if kind.ordered or kind is KINDS["boolean"]:
        message = f"the parameter is {_article(kind)}, which has no {test}"
        raise Wrong(message, "a list of values, or min and max")
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
        raise Wrong("min and max are integers", "an integer in decimal digits, without quotes")
    if not kind.ordered:
        if kind.name not in ("any", "id", "timestamp"):
            raise Wrong(f"the parameter is {_article(kind)}, which can't be ordered", "a list of values")
        kind = KINDS["integer"]
    return Test(kind, low=low[0], high=high[0])


def _refuse_variables(value: bool | int | str, kind: Kind, way: tuple[int, ...] = ()) -> None:
    """A name or path with a variable in it, which only a pattern has."""
    if kind.separator and isinstance(value, str) and _VARIABLE.search(value):
        pattern = f"{value}{{rest...}}" if value.endswith("/") else value
        raise Wrong(f"the variable in {value!r} is for a pattern", f"write {{pattern: {pattern!r}}}", way)


_VARIABLE = re.compile(r"(?:^|[./])\{[A-Za-z_]\w*(?:\.{3})?\}(?:[./]|$)")
_REGULAR = "docs/rules.md lists the regular form of each kind"


def _prefix(value: str, kind: Kind, denies: bool) -> Test:
    _refuse_variables(value, kind)
    forms = prefix_forms(kind, value, denies=denies)
    if not forms:
        raise Wrong(f"no regular {_named(kind)} begins so", _REGULAR)
    return Test(kind, prefix=forms, separator=kind.separator or "/")


def _pattern(value: str, kind: Kind, denies: bool) -> Test:
    separator = kind.separator or ("/" if "/" in value else ".")
    path = value if separator == "/" else value.replace(".", "/").replace("///", "...")
    try:
        template: Template = parse_template(path if path.startswith("/") else f"/{path}")
    except TemplateError as error:
        hint = "{name} is one segment, {name...} the rest"
        hint = hint if "variable" in str(error) else error.hint or hint
        raise Wrong(f"the pattern can't be used: {error}", hint) from None
    if any(not isinstance(part, Literal) and part.verb is not None for part in template.segments):
        raise Wrong("a verb (':run') can't be part of a value", "{name}")
    forms = pattern_forms(kind, template, separator, rooted=path.startswith("/"), denies=denies)
    if not forms:
        raise Wrong(f"no regular {_named(kind)} fits it", _REGULAR)
    templates, rooted = zip(*forms, strict=True)
    return Test(kind, pattern=templates, separator=separator, rooted=rooted)


def _one_of(written: Any, kind: Kind, place: str, denies: bool) -> Test:
    found: set[Canonical] = set()
    read = kind.suspect if denies else kind.read
    values = written if isinstance(written, list) else [written]
    for index, value in enumerate(values):
        way = (index,) if values is written else ()
        if not isinstance(value, bool | int | str):
            message = "a value is text, an integer, true or false"
            hint = "a mapping such as {prefix: dev_} is a test"
            raise Wrong(message, f"{hint}; write one rule for each" if way else hint, way)
        if place == "path" and not kind.separator and isinstance(value, str):
            value = value.strip("/")  # which are the URL's own: `/api/x` of an app is `api/x` behind its host
        _refuse_variables(value, kind, way)
        # YAML reads `1012` and `true` as what they look like; where the API has text, they are meant as text.
        for part in kind.parts(value):
            objects = read(part)
            if objects is None and not isinstance(part, str):
                objects = read(("true" if part else "false") if isinstance(part, bool) else str(part))
            if objects is None:
                raise Wrong(f"{part!r} is no regular {_named(kind)}", _HINTS.get(kind.name, _REGULAR), way)
            found.update(objects if denies else [Either.of(objects)])
    if not values:
        raise Wrong("the list is empty, so nothing would be allowed", "list values, or delete the key")
    return Test(kind, one_of=frozenset(found))


_HINTS = {
    "integer": "an integer in decimal digits",
    "boolean": "true or false",
    "enum": "the word as in the API, in capital letters",
    "object": "the parameter is an object: limit what is in it (name.key), or its keys by only",
    "workspace_path": "a path from the root, such as /Workspace/Shared/etl",
    "import_path": "a path from the root, such as /Workspace/Shared/etl",
}


def in_words(written: Any) -> str:
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
