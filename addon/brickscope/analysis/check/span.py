"""What a path rule takes in: all operations that it reaches and no deny takes away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from brickscope.core.template import Rest
from brickscope.policy.written import WrittenRule

from ..algebra import RuleList
from ..way import Way, ways


class Span(NamedTuple):
    """A path rule with the ways to operations that it opens. ``ends_open``: whether it takes all that lies below."""

    written: WrittenRule
    ways: tuple[Way, ...]
    ends_open: bool

    @property
    def names(self) -> set[str]:
        """The operations."""
        return {way.operation.name for way in self.ways}

    @property
    def services(self) -> list[str]:
        """Their services."""
        return sorted({way.operation.service for way in self.ways})

    @property
    def is_wide(self) -> bool:
        """Whether it goes over several services."""
        return self.ends_open and len(self.services) > 1


def spans(allowed: RuleList, denied: RuleList) -> Iterator[Span]:
    """Of each path rule; presets are ours, and looked at when they are made."""
    for written in allowed.written:
        for path in () if written.is_preset else written.paths:
            kept = tuple(
                way
                for way in ways([written._replace(paths=(path,), operations=())])
                if not denied.covers(way.operation.name)
            )
            yield Span(written, kept, isinstance(path.template.segments[-1], Rest))
