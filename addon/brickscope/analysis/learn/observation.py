"""What was observed of one operation or path: how often, when, by whom, and on which objects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import takewhile
from typing import Any

from brickscope.catalog.catalog import Operation
from brickscope.core.kind import KINDS, in_path
from brickscope.core.template import Template, bind

from .evidence import Group

MAX_KEPT = 2_000
"""Different values of one parameter that are kept; of more it is known that they are many, and what they have in common."""
MAX_CLIENTS = 100

Value = str | bool | None
"""A parameter's value as it is compared; None where it was absent."""


@dataclass
class Tally:
    """How often something was seen, when and from where."""

    calls: int = 0
    first_seen: datetime = datetime.max  # noqa: DTZ901 - the log's times are UTC without a zone
    last_seen: datetime = datetime.min  # noqa: DTZ901
    days: set[date] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)

    def add(self, group: Group) -> None:
        """Count calls."""
        self.calls += group.calls
        self.first_seen = min(self.first_seen, group.first_seen)
        self.last_seen = max(self.last_seen, group.last_seen)
        self.days.add(group.day)
        if len(self.clients) < MAX_CLIENTS:
            self.clients.add(str(group.record["client_address"]))

    @property
    def is_repeated(self) -> bool:
        """Whether it was seen twice or on two days."""
        return self.calls > 1 or len(self.days) > 1


_CLEAR = KINDS["slashed"].read
"""Takes every text that a server could read as one path or name only."""


class Shape:
    """What all values of a parameter have in common, however many: ``folder``, the segments of the folder that they are in,
    and ``levels``, the parts of dotted names, None for one that differs. Each is None where there is no such thing."""

    def __init__(self) -> None:
        self.folder: list[str] | None = None
        self.levels: list[str | None] | None = None
        self._is_odd = False
        self._is_first = True

    def add(self, value: Value) -> None:
        """Take in a value that was not absent."""
        if self._is_odd:
            return
        if not isinstance(value, str) or _CLEAR(value) is None:
            self._is_odd, self.folder, self.levels = True, None, None
            return
        folder, levels = value.split("/")[:-1], value.split(".")
        dotted = len(levels) > 1 and all(levels) and not any(each in value for each in "/{}")
        if self._is_first:
            self._is_first, self.folder, self.levels = False, folder, [*levels] if dotted else None
            return
        if self.folder is not None:
            same = (one == other for one, other in zip(self.folder, folder, strict=False))
            self.folder = self.folder[: sum(takewhile(bool, same))]
        if self.levels is not None:
            alike = dotted and len(levels) == len(self.levels)
            pairs = zip(self.levels, levels, strict=True) if alike else ()
            self.levels = [one if one == other else None for one, other in pairs] or None


@dataclass
class Observation:
    """One operation, and its objects: by the parameters that say what is acted on, in the catalogue's order.

    ``values``: how often each value of a parameter was seen; ``many``: parameters of which not all were kept. ``pairs``:
    which values came together. ``absent``: parameters that a call lacked; ``unlogged``: whose value the log has not, since
    no rule looked at them; ``untold``: of which it has a digest only, or a value that no rule can name. ``shapes``: what
    the values of a parameter have in common.
    """

    operation: Operation
    tally: Tally = field(default_factory=Tally)
    methods: set[str] = field(default_factory=set)
    values: dict[str, dict[Value, Tally]] = field(default_factory=dict)
    many: set[str] = field(default_factory=set)
    pairs: set[tuple[Value, ...]] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    unlogged: set[str] = field(default_factory=set)
    untold: set[str] = field(default_factory=set)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def add(self, group: Group, template: Template, segments: tuple[str, ...]) -> None:
        """Count calls whose path has these segments, which the catalogue's template matches."""
        self.tally.add(group)
        self.methods.add(str(group.record["method"]))
        if not self.operation.object:
            return
        bound = bind(template, segments)
        params = group.record["params"] or {}
        found: list[Value] = []
        for name, place in self.operation.object.items():
            value = self._value(name, place, bound if place == "path" else params)
            found.append(value)
            if value is None:
                continue
            self.shapes.setdefault(name, Shape()).add(value)
            kept = self.values.setdefault(name, {})
            if value in kept or len(kept) < MAX_KEPT:
                kept.setdefault(value, Tally()).add(group)
            else:
                self.many.add(name)
        if len(self.pairs) < MAX_KEPT:
            self.pairs.add(tuple(found))

    def _value(self, name: str, place: str, told: Mapping[str, Any]) -> Value:
        if name not in told:
            if place != "path":  # of a variable it is known that this call has none
                self.unlogged.add(name)
            return None
        value = told[name]
        if value is None:
            self.absent.add(name)
            return None
        kind = KINDS.get(self.operation.type_of((name,)) or "any", KINDS["object"])
        objects = (in_path(kind) if place == "path" else kind).read(value)
        if objects is None or not str(objects[0]).isprintable():
            self.untold.add(name)
            return None
        # One of several objects is allowed by its like only: by what was sent, read in the same ways.
        found = objects[0] if len(objects) == 1 else value
        return found if isinstance(found, bool) else str(found)
