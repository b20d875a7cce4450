"""Tables that are cut where they would grow too long, and say so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

LIMIT = 500
"""Most rows of one table; beyond, the page names how many are left out."""


@dataclass(frozen=True)
class Rows[Row]:
    """The first rows of a table, and how many there are in all."""

    rows: tuple[Row, ...]
    total: int

    @classmethod
    def of(cls, rows: Iterable[Row], total: int, limit: int = LIMIT) -> Rows[Row]:
        """The first ``limit`` of ``rows``. ``total``: how many there would be, at least as many as ``rows``."""
        kept = tuple(islice(rows, limit))
        return cls(kept, max(total, len(kept)))

    @property
    def more(self) -> int:
        """How many are left out."""
        return self.total - len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)
