"""Tables of formats, ``ecs.yaml`` and ``ocsf.yaml``: which fact of a record stands in which field."""

from functools import cache
from typing import Any

from brickscope.shipped import table

from .content import Facts, Record

Fields = dict[tuple[str, ...], Any]


def load(name: str) -> dict[str, Any]:
    """A table."""
    found: dict[str, Any] = table(__package__, f"{name}.yaml")
    return found


@cache
def fields(name: str, event: str) -> Fields:
    """The fields of one event, those of all events among them, by the parts of their names."""
    written = load(name)
    return {
        tuple(path.split(".")): source
        for path, source in (written["fields"] | written.get(event, {})).items()
    }


def fill(name: str, facts: Facts) -> dict[str, Any]:
    """An event of a format. A field of which there is no fact, or an empty one, is left out."""
    made: dict[str, Any] = {}
    for path, source in fields(name, facts["event"]).items():
        value = source
        if isinstance(source, str):
            value = source[1:] if source[0] == "=" else facts.get(source)
        if value is None or value in ({}, [], ()):
            continue
        at = made
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = value
    return made


def rest(name: str, record: Record, outcome: dict[str, Any] | None) -> dict[str, Any]:
    """What of a record has no place of its own in a format, and where its outcome stands in the log."""
    told = load(name)["told"]
    kept = {key: value for key, value in record.items() if key not in told and value is not None}
    return kept | ({} if outcome is None else {"outcome": outcome})
