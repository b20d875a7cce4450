"""Making ``operations.jsonl`` and ``records.jsonl``: the SDK's operations with the types of their parameters, and the
reviewed files beside this, merged; one line an operation, one a record."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .kinds import Kinds
from .objects import Objects
from .review import Review, fits, read_yaml
from .sdk import SdkOperation, Source

FOLDER = Path(__file__).parent
FIELDS = (
    "name",
    "names",
    "calls",
    "messages",
    "path",
    "query",
    "body",
    "required",
    "types",
    "encoded",
    "content",
    "stand_ins",
    "alternatives",
    "below",
    "every",
    "depends",
    "means",
    "object",
    "scope",
    "class",
    "risk",
    "source",
)
_LATER = re.compile(r"_v2|_proxy|_legacy|^bundle_")
_OBJECT = re.compile(r"(?:^|_)(?:id|name|path|key|scope|parent|full_name|model)$|[a-z]Id$")
_VARIABLE = re.compile(r"\{(\w+)[^}]*\}")


class Built(NamedTuple):
    """All lines and what is wrong with them: operations without a class, those whose class nobody looked at, calls of two
    operations, aliases that collide.

    ``records``: one line for each record that a type names.
    """

    entries: list[dict[str, Any]]
    problems: list[str]
    records: list[dict[str, Any]]


def build(source: Source, folder: Path = FOLDER) -> Built:
    """Merge with the reviewed files of a folder: ``overlay.yaml``, ``classes.yaml``, ``kinds.yaml``, ``objects.yaml`` and
    ``operations/``.

    Raises OSError and yaml.YAMLError for one that can't be read.
    """
    rules = read_yaml(folder / "overlay.yaml")
    review = Review(folder / "classes.yaml")
    machine = source.operations()
    entries = [_from_sdk(operation, rules, review) for operation in machine]
    entries += [_from_file(entry, rules, review) for entry in _beyond(folder / "operations")]
    for entry in entries:
        entry["names"] = list(rules["names"].get(entry["name"], ()))
    entries = sorted(_join(entries), key=lambda entry: str(entry["name"]))
    _add_forms(entries, rules)
    reviewed = Objects(folder / "objects.yaml")
    reviewed.add_fields(entries, source.annotations)
    records = source.annotations.records(kind for entry in entries for kind in entry["types"].values())
    lines = [{"name": name, "fields": fields} for name, fields in records.items()]
    problems = _add_kinds(entries, records, folder / "kinds.yaml")
    problems += reviewed.add_facts(entries, lines)
    called = Counter(name for entry in entries for name in (entry["name"], *entry["names"]))
    problems += [f"{name}: the name of {count} operations" for name, count in called.items() if count > 1]
    problems += [f"{entry['name']}: no class" for entry in entries if not entry.get("class")]
    problems += _add_aliases(entries, rules["aliases"])
    problems += [
        f"{entry['name']}: its calls have not the same variables, so a constraint could miss some of them"
        for entry in entries
        if len({frozenset(_VARIABLE.findall(call)) for call in entry["calls"]}) > 1
        and not fits(entry["name"], rules["unlike"])
    ]
    known = {name for entry in entries for name in (entry["name"], *entry.get("names", ()))}
    problems += [f"{name}: could not be read" for name in source.unresolved if name not in known]
    problems += review.unsettled(entries, {operation.name: operation.answers for operation in machine})
    return Built([_tidy(entry) for entry in entries], problems, lines)


def _beyond(folder: Path) -> Iterator[dict[str, Any]]:
    """The operations that the SDK does not know: of each file the groups, which say service, scope and source for all."""
    for file in sorted(folder.glob("*.yaml")):
        for group in read_yaml(file):
            common = {key: group[key] for key in ("scope", "source") if key in group}
            for name, entry in group["operations"].items():
                yield {"name": f"{group['service']}.{name}", **common, **entry}


def render(built: Built, version: str) -> str:
    """The text of ``operations.jsonl``; its first line says which SDK it is of."""
    lines = [json.dumps({"databricks_sdk": version, "operations": len(built.entries)})]
    lines += [json.dumps(entry, separators=(", ", ": ")) for entry in built.entries]
    return "\n".join(lines) + "\n"


def render_records(built: Built) -> str:
    """The text of ``records.jsonl``."""
    return "".join(json.dumps(line, separators=(", ", ": ")) + "\n" for line in built.records)


def _from_sdk(operation: SdkOperation, rules: dict[str, Any], review: Review) -> dict[str, Any]:
    templates = list(operation.templates)
    for each in rules["shapes"]:
        if fits(operation.name, each["operations"]):
            variable = each["variable"]
            templates = [
                text.replace(f"{{{variable}}}", f"{{{variable}={each['shape']}}}") for text in templates
            ]
    scope = _first(operation.name, rules["scopes"]["names"], "scope") or rules["scopes"]["services"].get(
        operation.service
    )
    entry = {
        "name": operation.name,
        "calls": [f"{operation.method} {text}" for text in templates],
        "path": list(operation.path),
        "query": list(operation.query),
        "body": list(operation.body),
        "required": list(operation.required),
        "types": operation.types,
        "scope": scope,
        "source": "sdk",
    }
    return {**entry, "object": _object(entry), **_judged(entry, rules, review)}


def _from_file(written: dict[str, Any], rules: dict[str, Any], review: Review) -> dict[str, Any]:
    path = [name for call in written["calls"] for name in _VARIABLE.findall(call)]
    entry = {
        "path": list(dict.fromkeys(path)),
        "query": [],
        "body": [],
        "required": [],
        "types": {},
        **written,
    }
    return {"object": _object(entry), **_judged(entry, rules, review), **entry}


def _judged(entry: dict[str, Any], rules: dict[str, Any], review: Review) -> dict[str, Any]:
    """Class and risk. An operation of ``operations/`` may say itself that it reads or writes, and no more."""
    name, method = entry["name"], entry["calls"][0].partition(" ")[0]
    kind = entry.get("class") or review.kind(name)
    if kind == "execute" and method in ("GET", "HEAD") and entry["source"] == "sdk":
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
            if fits(name, each["operations"])
            and each.get("class", kind) == kind
            and (kind != "read" or "class" in each)
        ),
        None,
    )
    return {"class": kind, "risk": risk}


def _object(entry: dict[str, Any]) -> dict[str, str]:
    """What the call acts on, and where it says so."""
    own = [name for name in entry["path"] if name != "account_id"]
    if own:
        return dict.fromkeys(own, "path")
    return {
        name: place
        # The query last, so that it counts for a name in both, as in Operation.place.
        for place, names in (("body", entry["body"]), ("query", entry["query"]))
        for name in names
        if name in entry["required"] and _OBJECT.search(name)
    }


def _join(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for names that make the same calls (``groups.list`` and ``groups_v2.list``); the plain one is its name.

    The SDK's name goes before one of ``operations/``, which stays another name of it when the SDK comes to know the call.
    """
    by_calls: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in entries:
        by_calls.setdefault((*sorted(map(_shape, entry["calls"])), *_messages(entry)), []).append(entry)
    joined = []
    for same in by_calls.values():
        same.sort(
            key=lambda entry: (
                entry["source"] != "sdk",
                bool(_LATER.search(entry["name"])),
                len(entry["name"]),
                entry["name"],
            )
        )
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
            shape = f"{_shape(call)} {_messages(entry)}"
            if owners.setdefault(shape, entry["name"]) != entry["name"]:
                problems.append(f"{call}: of {owners[shape]} and {entry['name']}")
    for entry in entries:
        for call in entry["calls"]:  # those that are added here as well: an alias may have aliases
            method, _, path = call.partition(" ")
            for family in families:
                if path == family["from"].rstrip("/") or path.startswith(family["from"]):
                    for prefix in family["to"]:
                        alias = f"{method} {prefix}{path.removeprefix(family['from'])}"
                        if (
                            owners.setdefault(f"{_shape(alias)} {_messages(entry)}", entry["name"])
                            == entry["name"]
                            and alias not in entry["calls"]
                        ):
                            entry["calls"].append(alias)
    return problems


def _shape(call: str) -> str:
    """A call without the names of its variables: two of one shape match the same requests."""
    text = re.sub(r"\{\w+=([^}]*)\}", r"\1", call)
    return re.sub(r"\{\w+\.\.\.\}", "**", re.sub(r"\{\w+\}", "*", text))


def _messages(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(entry.get("messages", ()))


def _first(name: str, rules: list[dict[str, Any]], key: str) -> Any:
    return next((each[key] for each in rules if fits(name, each["operations"])), None)


def _tidy(entry: dict[str, Any]) -> dict[str, Any]:
    entry["types"] = {name: kind for name, kind in sorted(entry["types"].items()) if kind != "text"}
    return {key: entry[key] for key in FIELDS if entry.get(key)}
