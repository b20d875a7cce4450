"""The records of the audit log by ``event.yaml``: what each event holds, as columns and as models, of which the published
JSON Schema is made.

Writers and readers share that table, so they cannot drift apart: tests hold every written line against it, and
``brickscope audit verify --schema`` every line that is read.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self, Union

from brickscope.shipped import table

if TYPE_CHECKING:
    from pydantic import TypeAdapter

URI = "https://json-schema.org/draft/2020-12/schema"
_WRITTEN: Mapping[str, Any] = table(__package__, "event.yaml")
_CLAIMS = Literal["issuer", "client_id", "sub", "tenant", "object_id", "azure_resource"]
_TYPES: Mapping[str, Any] = {
    "schema": Literal[1],
    "number": int,
    "count": int,
    "integer": int,
    "quantity": float | int,
    "boolean": bool,
    "object": dict[str, Any],
    "texts": list[str],
    "texts_or_nulls": list[str | None],
    "versions": dict[str, str],
    "claims": dict[_CLAIMS, str | None],
    "link": dict[Literal["instance", "seq", "hash"], str | int],
}
"""The types of the kinds that are not text."""
_LEAST = {"number": 1, "count": 0, "quantity": 0}


class Member(NamedTuple):
    """A field of an event. ``kind``: of ``event.yaml``. ``words``: all that it can be, if it is one of few. ``is_null``:
    whether it may be. ``is_missing``: whether it may be left out. ``text``: what it says, empty where its name does."""

    kind: str
    words: tuple[str, ...]
    is_null: bool
    is_missing: bool
    text: str

    @classmethod
    def read(cls, written: str | list[str]) -> Self:
        """As the table has it: ``one of tunnel, deny``, ``[text or null, What was called.]``."""
        said, text = (written, "") if isinstance(written, str) else written
        kind, _, lack = said.partition(" or ")
        first, _, words = kind.partition(" of ")
        return cls(first, tuple(words.split(", ")) if words else (), bool(lack), lack == "missing", text)

    @property
    def column(self) -> str:
        """Its type in a table, as DuckDB writes it."""
        return str(_WRITTEN["kinds"][self.kind][0])


def members(event: str) -> dict[str, Member]:
    """The fields of an event by their names."""
    said = _WRITTEN["events"][event]
    parts = (
        _WRITTEN["every"],
        _WRITTEN["decided"] if said.get("decides") else {},
        {"event": f"one of {event}"},
    )
    fields = {name: each for part in (*parts, said["fields"]) for name, each in part.items()}
    return {name: Member.read(each) for name, each in fields.items()}


EVENTS: Mapping[str, Mapping[str, Member]] = {event: members(event) for event in _WRITTEN["events"]}
COLUMNS = {name: member.column for event in EVENTS.values() for name, member in event.items()}
"""The columns of the log as a table, name to SQL type, in their order."""


@cache
def _record() -> "TypeAdapter[Any]":
    # Here, since it costs the other commands 0.1 s.
    from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

    class Record(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)

    def field(name: str, member: Member) -> tuple[Any, Any]:
        _, *form = _WRITTEN["kinds"][member.kind]
        limits = Field(pattern=form[0] if form else None, ge=_LEAST.get(member.kind))
        kind: Any = Literal[member.words] if member.words else Annotated[_TYPES.get(member.kind, str), limits]
        default = None if member.is_missing else ...
        alias = name if name == "schema" else None  # which is a method of every model
        return kind | None if member.is_null else kind, Field(
            default, alias=alias, description=member.text or None
        )

    models = []
    for event, fields in EVENTS.items():
        typed: Any = {name.replace("schema", "schema_"): field(name, each) for name, each in fields.items()}
        title = f"{event.title().replace('_', '')}Record"
        models.append(
            create_model(title, __base__=Record, __doc__=_WRITTEN["events"][event]["about"], **typed)
        )
    any_of_them: Any = Annotated[Union[*models], Field(discriminator="event")]
    return TypeAdapter(any_of_them)


def check_record(line: bytes | str) -> None:
    """Hold a line against the schema. Raises pydantic.ValidationError."""
    _record().validate_json(line)


def render() -> str:
    """The JSON Schema of a record as the text of ``docs/audit-record.schema.json``."""
    made = {"$schema": URI, "title": "Brickscope audit record", **_record().json_schema()}
    return json.dumps(made, indent=2, sort_keys=True) + "\n"
