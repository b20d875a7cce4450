"""Making ``operations.jsonl`` and ``records.jsonl``: the SDK's operations with the types of their parameters, and the
reviewed overlay, merged; one line an operation, one a record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .kinds import Kinds
from .objects import Objects
from .sdk import SdkOperation, Source

OVERLAY, KINDS, OBJECTS = (Path(__file__).parent / f"{name}.yaml" for name in ("overlay", "kinds", "objects"))
FIELDS = (
    "name",
    "names",
    "calls",
    "path",
    "query",
    "body",
    "required",
    "types",
    "encoded",
    "stand_ins",
    "alternatives",
    "below",
    "every",
    "depends",
    "object",
    "scope",
    "class",
    "risk",
    "source",
)
_LATER = re.compile(r"_v2|_proxy|_legacy|^bundle_")
_OBJECT = re.compile(r"(?:^|_)(?:id|name|path|key|scope|parent|full_name)$|[a-z]Id$")
_VARIABLE = re.compile(r"\{(\w+)[^}]*\}")


class Built(NamedTuple):
    """All lines and what is wrong with them: operations without a class, calls of two operations, aliases that collide.

    ``records``: one line for each record that a type names.
    """

    entries: list[dict[str, Any]]
    problems: list[str]
    records: list[dict[str, Any]]


def build(source: Source, overlay: Path = OVERLAY, kinds: Path = KINDS, objects: Path = OBJECTS) -> Built:
    """Merge with the reviewed files. Raises OSError and yaml.YAMLError for one that can't be read."""
    rules = yaml.safe_load(overlay.read_text(encoding="utf-8"))
    entries = [_from_sdk(operation, rules) for operation in source.operations()]
    entries += [_from_overlay(entry, rules) for entry in rules["operations"]]
    for entry in entries:
        entry["names"] = list(rules["names"].get(entry["name"], ()))
    entries = sorted(_join(entries), key=lambda entry: str(entry["name"]))
    _add_forms(entries, rules)
    reviewed = Objects(objects)
    reviewed.add_fields(entries, source.annotations)
    records = source.annotations.records(kind for entry in entries for kind in entry["types"].values())
    lines = [{"name": name, "fields": fields} for name, fields in records.items()]
    problems = _add_kinds(entries, records, kinds)
    problems += reviewed.add_facts(entries, lines)
    problems += [f"{entry['name']}: no class" for entry in entries if not entry.get("class")]
    problems += _add_aliases(entries, rules["aliases"])
    problems += [
        f"{entry['name']}: its calls have not the same variables, so a constraint could miss some of them"
        for entry in entries
        if len({frozenset(_VARIABLE.findall(call)) for call in entry["calls"]}) > 1
        and entry["name"] not in rules["unlike"]
    ]
    known = {name for entry in entries for name in (entry["name"], *entry.get("names", ()))}
    problems += [f"{name}: could not be read" for name in source.unresolved if name not in known]
    return Built([_tidy(entry) for entry in entries], problems, lines)


def render(built: Built, version: str) -> str:
    """The text of ``operations.jsonl``; its first line says which SDK it is of."""
    lines = [json.dumps({"databricks_sdk": version, "operations": len(built.entries)})]
    lines += [json.dumps(entry, separators=(", ", ": ")) for entry in built.entries]
    return "\n".join(lines) + "\n"


def render_records(built: Built) -> str:
    """The text of ``records.jsonl``."""
    return "".join(json.dumps(line, separators=(", ", ": ")) + "\n" for line in built.records)


def _from_sdk(operation: SdkOperation, rules: dict[str, Any]) -> dict[str, Any]:
    templates = list(operation.templates)
    for each in rules["shapes"]:
        if _fits(operation.name, each["operations"]):
            variable = each["variable"]
            templates = [
                text.replace(f"{{{variable}}}", f"{{{variable}={each['shape']}}}") for text in templates
            ]
    scope = _first(operation.name, rules["scopes"]["names"], "scope") or rules["scopes"]["services"].get(
        operation.service
    )
    return {
        "name": operation.name,
        "calls": [f"{operation.method} {text}" for text in templates],
        "path": list(operation.path),
        "query": list(operation.query),
        "body": list(operation.body),
        "required": list(operation.required),
        "types": operation.types,
        "object": _object(operation),
        "scope": scope,
        **_judged(operation.name, operation.method, rules),
        "source": "sdk",
    }


def _from_overlay(entry: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    method = entry["calls"][0].partition(" ")[0]
    path = [name for call in entry["calls"] for name in _VARIABLE.findall(call)]
    judged = _judged(entry["name"], method, rules)
    return {"path": list(dict.fromkeys(path)), "types": {}, **judged, **entry}


def _judged(name: str, method: str, rules: dict[str, Any]) -> dict[str, Any]:
    """Class and risk."""
    kind = next((each["class"] for each in rules["classes"] if _fits(name, each["operations"])), None)
    if kind == "execute" and method in ("GET", "HEAD"):
        kind = None
    if kind is None:
        verb = re.split(r"[._]", name.rpartition(".")[2])[0]
        if method in ("GET", "HEAD"):
            kind = "read"
        else:
            kind = next((word for word, verbs in rules["verbs"].items() if verb in verbs), None)
    risk = next(
        (
            each["risk"]
            for each in rules["risks"]
            if _fits(name, each["operations"])
            and each.get("class", kind) == kind
            and (kind != "read" or "class" in each)
        ),
        None,
    )
    return {"class": kind, "risk": risk}


def _object(operation: SdkOperation) -> dict[str, str]:
    """What the call acts on, and where it says so."""
    own = [name for name in operation.path if name != "account_id"]
    if own:
        return dict.fromkeys(own, "path")
    return {
        name: place
        # The query last, so that it counts for a name in both, as in Operation.place.
        for place, names in (("body", operation.body), ("query", operation.query))
        for name in names
        if name in operation.required and _OBJECT.search(name)
    }


def _join(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for names that make the same calls (``groups.list`` and ``groups_v2.list``); the plain one is its name."""
    by_calls: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in entries:
        by_calls.setdefault(tuple(sorted(map(_shape, entry["calls"]))), []).append(entry)
    joined = []
    for same in by_calls.values():
        same.sort(key=lambda entry: (bool(_LATER.search(entry["name"])), len(entry["name"]), entry["name"]))
        first = same[0]
        if len(same) > 1:
            first["names"] = [*first.get("names", ()), *(entry["name"] for entry in same[1:])]
            for key in ("query", "body"):
                first[key] = sorted({name for entry in same for name in entry[key]})
            first["types"] = {name: kind for entry in reversed(same) for name, kind in entry["types"].items()}
        joined.append(first)
    return joined


def _add_forms(entries: list[dict[str, Any]], rules: dict[str, Any]) -> None:
    """Add calls of another form."""
    by_name = {entry["name"]: entry for entry in entries}
    for each in rules["calls"]:
        by_name[each["name"]]["calls"].append(each["call"])


def _add_kinds(entries: list[dict[str, Any]], records: dict[str, dict[str, str]], file: Path) -> list[str]:
    """Say what kind of text the parameters and fields hold."""
    kinds = Kinds(file)
    for entry in entries:
        names = dict.fromkeys([*entry["path"], *entry.get("query", ()), *entry.get("body", ())])
        entry["types"] = {
            name: kinds.type_of(entry["name"], name, entry["types"].get(name, "text")) for name in names
        }
    for record, fields in records.items():
        fields.update({name: kinds.type_of(record, name, kind) for name, kind in fields.items()})
    return [f"kinds.yaml: {written} fits no parameter" for written in kinds.unused()]


def _add_aliases(entries: list[dict[str, Any]], families: list[dict[str, Any]]) -> list[str]:
    """Add other calls of the same operation, never one that is another operation's own."""
    problems: list[str] = []
    owners: dict[str, str] = {}
    for entry in entries:
        for call in entry["calls"]:
            shape = _shape(call)
            if owners.setdefault(shape, entry["name"]) != entry["name"]:
                problems.append(f"{call}: of {owners[shape]} and {entry['name']}")
    for entry in entries:
        for call in list(entry["calls"]):
            method, _, path = call.partition(" ")
            for family in families:
                if path == family["from"].rstrip("/") or path.startswith(family["from"]):
                    for prefix in family["to"]:
                        alias = f"{method} {prefix}{path.removeprefix(family['from'])}"
                        if (
                            owners.setdefault(_shape(alias), entry["name"]) == entry["name"]
                            and alias not in entry["calls"]
                        ):
                            entry["calls"].append(alias)
    return problems


def _shape(call: str) -> str:
    """A call without the names of its variables: two of one shape match the same requests."""
    text = re.sub(r"\{\w+=([^}]*)\}", r"\1", call)
    return re.sub(r"\{\w+\.\.\.\}", "**", re.sub(r"\{\w+\}", "*", text))


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _first(name: str, rules: list[dict[str, Any]], key: str) -> Any:
    return next((each[key] for each in rules if _fits(name, each["operations"])), None)


def _tidy(entry: dict[str, Any]) -> dict[str, Any]:
    entry["types"] = {name: kind for name, kind in sorted(entry["types"].items()) if kind != "text"}
    return {key: entry[key] for key in FIELDS if entry.get(key)}
