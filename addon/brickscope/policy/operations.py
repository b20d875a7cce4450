"""Rules by name: ``jobs.run_now``, ``jobs.*``, classes of a service, presets; expanded to rules for single operations."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from brickscope.catalog.catalog import CLASSES, Catalog, Operation, load_catalog, operation_table
from brickscope.core.operation import OperationRule
from brickscope.core.rule import parse_rule
from brickscope.core.template import TemplateError
from brickscope.shipped import table

from .document import Path
from .model import RuleEntry
from .problem import nearest
from .where import Fail, parse_constraint, spelled_out, twins, unlimited, with_types_above

NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*\.(?:\*|[A-Za-z0-9_]+)\Z")
BY_GRANTS = "the token endpoint is allowed by grants, never by rules"
FOR_GRANTS = "grants: of a service principal, or logins:"


class Named(NamedTuple):
    """What one written rule stands for. ``rules`` are by operation; ``paths`` are ``METHOD /path`` lines of a preset."""

    rules: list[OperationRule]
    paths: list[str]


def is_name(text: str) -> bool:
    """Whether a line of a rule set names operations, and is no ``METHOD /path``."""
    return bool(NAME.match(text))


def presets() -> dict[str, Any]:
    """The presets by name, as ``catalog/presets.yaml`` has them."""
    found: dict[str, Any] = table("brickscope.catalog", "presets.yaml")
    return found


def expand(written: str | RuleEntry, fail: Fail, *, denies: bool = False) -> Named:
    """The rules for which a line or mapping stands; what is wrong goes to ``fail``. ``denies``: it stands under deny."""
    catalog = load_catalog()
    if isinstance(written, str):
        found = _meant(_named(catalog, written, fail), written, denies=denies)
        return Named([OperationRule(each.name, written) for each in found], [])
    if written.preset is not None:
        return _preset(written.preset, fail)
    if written.operation is not None:
        found = _named(catalog, written.operation, fail)
    else:
        found = list(_of_class(catalog, written, fail))
    found = _meant(found, written.operation or "*", denies=denies)
    text = one_line(written)
    rules = []
    fail = _once(fail)
    for operation in found:
        for index, name in enumerate(written.only or ()):
            if operation.place(name) is None:
                fail(
                    f"{operation.name} has no parameter {name!r}",
                    nearest(name, [*operation.means, *operation.query, *operation.body]),
                    ("only", index),
                )
        only = None if written.only is None else frozenset(map(operation.way, written.only))
        for said in spelled_out(operation, written.where or {}, denies=denies):
            said |= {} if denies or written.only is not None else dict(twins(operation, said))
            where = [parse_constraint(operation, *each, fail, denies=denies) for each in said.items()]
            known = [each for each in where if each is not None]
            bound = unlimited(operation, written.where or {}, with_types_above(known) if denies else known)
            rules.append(OperationRule(operation.name, text, bound, only))
    return Named(rules, [])


def _once(fail: Fail) -> Fail:
    """Says each fault once, though a condition may stand for several parameters."""
    said: set[tuple[str, str]] = set()

    def say(message: str, hint: str, way: Path) -> None:
        if (message, hint) not in said:
            said.add((message, hint))
            fail(message, hint, way)

    return say


MAX_CONDITIONS = 400


def one_line(written: str | RuleEntry) -> str:
    """A rule by name in one line, with its conditions: what decisions call it (operations of a preset have their own)."""
    if isinstance(written, str):
        return written
    if written.preset is not None:
        return f"preset {written.preset}"
    text = written.operation
    if text is None:
        parts = (
            f"{written.service}.*" if written.service else "",
            f"class {written.kind}" if written.kind else "",
        )
        text = " ".join(filter(None, parts))
    return text + _conditions(written)


def _conditions(written: RuleEntry) -> str:
    """The conditions of a rule in one line, so that its text in the log is that of no other rule."""
    parts = [
        f" {key} {orjson.dumps(value, default=str).decode()}"
        for key, value in (("where", written.where), ("only", written.only))
        if value is not None
    ]
    text = "".join(parts)
    if len(text) <= MAX_CONDITIONS:
        return text
    return f"{text[:MAX_CONDITIONS]}… #{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _named(catalog: Catalog, text: str, fail: Fail, way: str = "operation") -> list[Operation]:
    found = catalog.named(text)
    if any(each.name == "oidc.token" for each in found):
        fail(BY_GRANTS, FOR_GRANTS, (way,))
    if not found:
        if text.endswith(".*"):
            fail(f"there is no service {text[:-2]!r}", nearest(text[:-2], catalog.services), (way,))
        else:
            hint = _of_call(text) or nearest(text, catalog.names) or "brickscope catalog search WORDS"
            fail(f"there is no operation {text!r}", hint, (way,))
    return found


def _of_call(text: str) -> str:
    """What to write for ``METHOD /path`` where a name belongs."""
    try:
        met = operation_table().meeting(parse_rule(text))
    except TemplateError:
        return ""
    return f"write {met[0].text}" if len(met) == 1 else ""


def _meant(found: list[Operation], text: str, *, denies: bool) -> list[Operation]:
    """Those of them that ``text`` allows or denies: to allow a websocket, its name has to be written out."""
    return [each for each in found if denies or not each.is_websocket or not text.endswith("*")]


def _of_class(catalog: Catalog, written: RuleEntry, fail: Fail) -> Iterator[Operation]:
    if written.kind is not None and written.kind not in CLASSES:
        hint = nearest(written.kind, CLASSES) or f"one of {', '.join(CLASSES)}"
        fail(f"{written.kind!r} is not a class", hint, ("class",))
        return
    if written.service is not None:
        candidates = _named(catalog, f"{written.service}.*", fail, "service")
    else:
        candidates = list(catalog.operations.values())
    for operation in candidates:
        if written.kind is None or operation.kind == written.kind:
            yield operation


def _preset(name: str, fail: Fail) -> Named:
    known = presets()
    if name not in known:
        hint = nearest(name, known) or f"one of {', '.join(known)}"
        fail(f"there is no preset {name!r}", hint, ("preset",))
        return Named([], [])
    rules: list[OperationRule] = []
    paths: list[str] = []
    for written in known[name]["allow"]:
        if isinstance(written, str) and not is_name(written):
            paths.append(written)
            continue
        named = expand(written if isinstance(written, str) else RuleEntry.model_validate(written), fail)
        rules += [
            rule._replace(text=f"preset {name}: {rule.text.rpartition(': ')[2]}") for rule in named.rules
        ]
        paths += named.paths
    return Named(rules, paths)
