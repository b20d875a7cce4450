"""What lies below a parameter: records with the types of their fields, and how fields name objects.

A type is text:

* a word: ``text``, ``integer``, ``number``, ``boolean``, ``timestamp`` (RFC 3339), ``duration`` (``300s``), ``field_mask``
  (names between commas), ``bytes`` (base64), ``any`` (JSON of any kind); ``enum`` (words of capital letters, digits,
  ``_``), ``enum_lower`` (of small ones), ``enum_mixed`` (of either, also ``-.:``); or a kind of text from the makers'
  ``kinds.yaml``
* ``[T]``: a list; ``{T}``: an object of any keys whose values are T
* the name of a record, with a dot: ``jobs.Task``
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import orjson


class Facts(NamedTuple):
    """How members of an operation or record name objects; the makers' ``objects.py`` says what each field means."""

    stand_ins: Mapping[str, Sequence[str]] = {}
    alternatives: Sequence[Sequence[str]] = ()
    below: Mapping[str, Sequence[str]] = {}
    every: Mapping[str, Sequence[str]] = {}
    depends: Mapping[str, Sequence[str]] = {}


NONE = Facts()


class Holder(NamedTuple):
    """An operation or record: its members with their types, and facts about them.

    In all questions ``keys`` is the way down: lists are gone through, a map takes a key of any name, below ``any`` all is
    ``any``.
    """

    types: Mapping[str, str]
    facts: Facts = NONE

    def type_of(self, keys: tuple[str, ...]) -> str | None:
        """The type at the end of the way; None if there is no such member."""
        kind = self.types.get(keys[0])
        for key in keys[1:]:
            kind = None if kind is None else _below(kind, key)
        return kind

    def others_of(self, relation: str, keys: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The ways to parameters that are related to something on the way.

        ``stand_ins`` can say the same: where a rule limits one, the others have to be absent or limited too (``num_workers``
        and ``autoscale``). Of ``alternatives`` a call has one; none can say what another says, but an allow that is met
        where one is absent is passed by the others.
        """
        found: dict[tuple[str, ...], None] = {}
        for at, holder in self._way(keys):
            for member, others in _related(holder.facts, relation):
                parts = tuple(member.split("."))
                if keys[at : at + len(parts)] == parts:
                    found |= dict.fromkeys((*keys[:at], *other.split(".")) for other in others)
        return list(found)

    def below_of(self, keys: tuple[str, ...]) -> list[tuple[str, ...]] | None:
        """Whether the member acts on all below its object: None, no; empty, always; else the ways to conditions."""
        when = self._last(keys).facts.below.get(keys[-1])
        return None if when is None else [(*keys[:-1], name) for name in when]

    def every_of(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Values that stand for every object."""
        return tuple(self._last(keys).facts.every.get(keys[-1], ()))

    def _way(self, keys: tuple[str, ...]) -> Iterator[tuple[int, Holder]]:
        """Every holder on the way, with the number of keys that lead to it."""
        yield 0, self
        for at in range(1, len(keys)):
            kind = self.type_of(keys[:at]) or ""
            record = load_records().get(kind.strip("[]"))
            if record is not None:
                yield at, record

    def _last(self, keys: tuple[str, ...]) -> Holder:
        for at, holder in self._way(keys):
            if at == len(keys) - 1:
                return holder
        return Holder({})


def _related(held: Facts, relation: str) -> Iterator[tuple[str, Sequence[str]]]:
    if relation == "stand_ins":
        yield from held.stand_ins.items()
        return
    for group in held.alternatives:
        yield from ((member, [other for other in group if other != member]) for member in group)


def _below(kind: str, key: str) -> str | None:
    """The type of a key of an object of a type; None if it has no such key."""
    kind = kind.strip("[]")
    if kind == "any":
        return kind
    if kind.startswith("{"):
        return kind[1:-1]
    record = load_records().get(kind)
    return None if record is None else record.types.get(key)


def facts(entry: Mapping[str, Any]) -> Facts:
    """The facts of a line of data."""
    if entry.keys().isdisjoint(Facts._fields):
        return NONE
    return Facts(**{name: entry[name] for name in Facts._fields if name in entry})


@cache
def load_records() -> Mapping[str, Holder]:
    """The records that types name. Raises OSError and ValueError if the file is damaged."""
    lines = map(orjson.loads, files(__package__).joinpath("records.jsonl").read_bytes().splitlines())
    return {line["name"]: Holder(line["fields"], facts(line)) for line in lines}
