"""What was observed of one operation or path: how often, when, by whom, and on which objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from brickscope.catalog.catalog import Operation
from brickscope.core.constraint import canonical
from brickscope.core.template import Template, bind

from .evidence import Group

MAX_KEPT = 2_000
"""Different objects of one operation that are kept; of more it is only known that they are many."""
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


@dataclass
class Observation:
    """One operation. ``objects``: by the values of the parameters that say what is acted on, in the catalogue's order.

    ``unlogged``: such parameters whose value the log has not, since no rule looked at them; ``untold``: of which it has a
    digest only, or a value that no rule can name.
    """

    operation: Operation
    tally: Tally = field(default_factory=Tally)
    methods: set[str] = field(default_factory=set)
    objects: dict[tuple[Value, ...], Tally] = field(default_factory=dict)
    too_many: bool = False
    unlogged: set[str] = field(default_factory=set)
    untold: set[str] = field(default_factory=set)

    def add(self, group: Group, template: Template, segments: tuple[str, ...]) -> None:
        """Count calls whose path has these segments, which the catalogue's template matches."""
        self.tally.add(group)
        self.methods.add(str(group.record["method"]))
        if not self.operation.object:
            return
        bound = bind(template, segments)
        params = group.record["params"] or {}
        values = tuple(
            self._value(name, place, bound if place == "path" else params)
            for name, place in self.operation.object.items()
        )
        if values in self.objects or len(self.objects) < MAX_KEPT:
            self.objects.setdefault(values, Tally()).add(group)
        else:
            self.too_many = True

    def _value(self, name: str, place: str, told: Mapping[str, Any]) -> Value:
        if name not in told:
            self.unlogged.add(name)
            return None
        value = told[name]
        if value is None:
            return None
        found = canonical(value, query=place == "query")
        if found is None or (isinstance(found, str) and not found.isprintable()):
            self.untold.add(name)
            return None
        return found
