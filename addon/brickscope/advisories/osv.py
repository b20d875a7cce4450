"""Records of the OSV schema (https://ossf.github.io/osv-schema/): PyPA's database holds them as YAML, GitHub's as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import Version

from .advisory import Advisory

CLIP = 200


def read_records(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The records of a checkout of a database. Other files are passed over."""
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        if path.suffix == ".json":
            record = json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix in (".yaml", ".yml"):
            record = yaml.safe_load(path.read_text(encoding="utf-8"))
        else:
            continue
        if isinstance(record, Mapping) and "id" in record and "affected" in record:
            yield record


def advisories(records: Iterable[Mapping[str, Any]], packages: Collection[str]) -> list[Advisory]:
    """The advisories on ``packages`` (canonical names), those on the same flaw in several databases as one."""
    groups: list[list[tuple[set[str], Advisory]]] = []
    for record in records:
        if record.get("withdrawn"):
            continue
        for package, affected in _by_package(record["affected"]).items():
            if package not in packages:
                continue
            names = {record["id"], *(record.get("aliases") or ())}
            made = _advisory(record, package, affected)
            same = [
                group
                for group in groups
                if any(made.package == one.package and names & other for other, one in group)
            ]
            merged = [(names, made), *(each for group in same for each in group)]
            groups = [group for group in groups if group not in same] + [merged]
    return sorted(
        (_merged(group) for group in groups), key=lambda each: (each.package, each.published, each.id)
    )


def _by_package(affected: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in affected:
        package = each.get("package") or {}
        if package.get("ecosystem") == "PyPI":
            found.setdefault(canonicalize_name(package["name"]), []).append(each)
    return found


def _advisory(record: Mapping[str, Any], package: str, affected: Sequence[Mapping[str, Any]]) -> Advisory:
    ranges: list[str] = []
    fixed: list[str] = []
    for each in affected:
        spans = [span for span in each.get("ranges") or () if span["type"] == "ECOSYSTEM"]
        for span in spans:
            ranges += _specifiers(span["events"])
            fixed += [str(event["fixed"]) for event in span["events"] if "fixed" in event]
        if not spans:
            ranges += [f"=={version}" for version in each.get("versions") or ()]
    return Advisory(
        id=record["id"],
        aliases=tuple(sorted(record.get("aliases") or ())),
        package=package,
        affected=tuple(dict.fromkeys(ranges)),
        fixed=max(fixed, key=Version, default=None),
        summary=_summary(record, package),
        source=f"https://osv.dev/vulnerability/{record['id']}",
        published=str(record.get("published") or record.get("modified"))[:10],
    )


def _specifiers(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Events in order of version: each ``introduced`` begins a range, the next ``fixed`` or ``last_affected`` ends it."""
    found: list[str] = []
    begin: str | None = None
    for event in events:
        if "introduced" in event:
            begin = str(event["introduced"])
        elif begin is not None and ("fixed" in event or "last_affected" in event):
            end = f"<{event['fixed']}" if "fixed" in event else f"<={event['last_affected']}"
            found.append(end if begin == "0" else f">={begin},{end}")
            begin = None
    if begin is not None:
        found.append(f">={begin}")
    return found


def _summary(record: Mapping[str, Any], package: str) -> str:
    """One sentence. Where there is no summary, the details' first one that does not introduce the package."""
    text = record.get("summary")
    if not text:
        plain = " ".join(str(record.get("details") or "").replace("#", " ").split())
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", plain)
        if len(sentences) > 1 and re.match(
            rf"{re.escape(package)}\b.{{0,80}}\b(is|are) an? ", sentences[0], re.IGNORECASE
        ):
            sentences = sentences[1:]
        text = sentences[0]
    text = " ".join(str(text).split()).rstrip(".")
    return text if len(text) <= CLIP else text[: CLIP - 2].rsplit(" ", 1)[0] + " …"


_ORDER = ("GHSA", "CVE", "PYSEC")


def _merged(group: Sequence[tuple[set[str], Advisory]]) -> Advisory:
    names = sorted(
        set().union(*(names for names, _ in group)),
        key=lambda name: (next((at for at, kind in enumerate(_ORDER) if name.startswith(kind)), 9), name),
    )
    every = sorted((each for _, each in group), key=lambda each: (each.id != names[0], each.id))
    fixed = [each.fixed for each in every if each.fixed]
    return every[0].model_copy(
        update={
            "id": names[0],
            "aliases": tuple(names[1:]),
            "affected": tuple(sorted({text for each in every for text in each.affected})),
            "fixed": max(fixed, key=Version, default=None),
            "source": f"https://osv.dev/vulnerability/{names[0]}",
            "published": min(each.published for each in every),
        }
    )
