"""What a call has for one parameter: the values as they came, and which objects they name to rules of each kind.

All of it is worked out once a call, however many rules ask, and for long lists by operations on whole sets and texts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from .decision import Refused
from .kind import Canonical, Either, Kind, Objects
from .normal import growth
from .query import Alternatives
from .reason import Reason
from .scalar import MAX_VALUE, Read, ReadAll, integers

ABSENT: Any = object()
MAX_COMPARED = 100_000
"""Most comparisons in one call, of a value with a pattern. A call beyond is denied. Values that are plainly written are read
all at once and held against lists, prefixes and ranges as sets, however many rules there are: PLAIN of them count as one
comparison. One that has to be looked at by itself (escapes, odd letters) counts as ODD, and a path also by its length: each
of its segments is looked at."""
PLAIN = 4
ODD = 20
LETTERS = 2048
"""So many letters of long values count as one comparison."""
ODD_LETTERS = 4
"""So many where some are beyond ASCII, each of which is taken to grow as much as the one that grows most."""
MAX_SHOWN = 20
"""Lists with more elements are shown as they came."""
FEW = 8
"""So many values are read one by one, which is faster then."""

_MISSING = frozenset({type(ABSENT), type(None)})


class Effort:
    """What judging one call has cost so far, in comparisons."""

    __slots__ = ("spent",)

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, comparisons: int) -> None:
        """Raises Refused(TOO_COMPLEX) where it is too much."""
        self.spent += comparisons
        if self.spent > MAX_COMPARED:
            raise too_complex()


def too_complex() -> Refused:
    """The refusal of a call that would cost more to judge than it may."""
    return Refused(
        Reason.TOO_COMPLEX,
        f"comparing with the rules would take more than {MAX_COMPARED:,} comparisons for the call's values",
    )


class Named:
    """The objects that values name. ``regular``: whether all values are; if not, the rest is of no use. ``singles``: objects
    that are named surely. ``eithers``: of which nobody knows which one is."""

    def __init__(self, singles: set[Canonical], eithers: set[Either], *, regular: bool) -> None:
        self.singles = singles
        self.eithers = eithers
        self.regular = regular

    @cached_property
    def ordered(self) -> list[Any]:
        """The single ones in order; all of a kind are of one type."""
        return sorted(self.singles)

    def begins(self, prefix: str) -> bool:
        """Whether a single one begins so."""
        ordered = self.ordered
        at = bisect_left(ordered, prefix)
        return at < len(ordered) and ordered[at].startswith(prefix)

    def begin(self, prefix: str) -> bool:
        """Whether all single ones begin so: the first and the last do, so those between do as well."""
        return not self.singles or (self.least.startswith(prefix) and self.greatest.startswith(prefix))

    def beginning(self, prefix: str) -> list[Any]:
        """The single ones that begin so."""
        ordered = self.ordered
        first = bisect_left(ordered, prefix)
        return ordered[
            first : bisect_left(ordered, True, first, key=lambda text: not text.startswith(prefix))
        ]

    @cached_property
    def least(self) -> Any:
        """The first of the single ones."""
        return min(self.singles)

    @cached_property
    def greatest(self) -> Any:
        """The last of the single ones."""
        return max(self.singles)


class Values:
    """What a call has for one parameter.

    ``leaves``: as they came, all elements of lists, ABSENT for what lacks it. ``listed``: whether a list was gone through;
    ``hollow``: whether one was empty. ``odd``: whether there is something that can't be compared: a list in a list, a text
    where an object belongs. ``doubt``: why nobody can say what the call has. ``effort``: what it may cost.
    """

    def __init__(
        self,
        leaves: list[Any],
        *,
        listed: bool = False,
        hollow: bool = False,
        odd: bool = False,
        doubt: Refused | None = None,
        effort: Effort | None = None,
    ) -> None:
        self.leaves = leaves
        self.listed = listed
        self.hollow = hollow
        self.odd = odd
        self.doubt = doubt
        self.effort = effort or Effort()
        self._named: dict[tuple[str, bool], Named] = {}
        self._shown: dict[str, Any] = {}

    def lacking(self, doubt: Refused | None) -> Values:
        """What is below it under a name that nothing here has."""
        found = Values(
            [ABSENT] * len(self.leaves),
            listed=self.listed,
            hollow=self.hollow,
            doubt=doubt,
            effort=self.effort,
        )
        found.types, found.given = {type(ABSENT)}, []
        return found

    @cached_property
    def types(self) -> set[type]:
        """Of the leaves."""
        return set(map(type, self.leaves))

    @property
    def is_absent(self) -> bool:
        """Whether something that could have it lacks it."""
        return not _MISSING.isdisjoint(self.types)

    @cached_property
    def given(self) -> list[Any]:
        """The leaves that are there."""
        if not self.is_absent:
            return self.leaves
        return [leaf for leaf in self.leaves if leaf is not ABSENT and leaf is not None]

    @cached_property
    def sent(self) -> Any:
        """For the log: as the call has it; None for what lacks it, an empty list in a list for what can't be compared."""
        if self.odd:
            return [[]]
        leaves = self.leaves
        if not self.types.isdisjoint({type(ABSENT), Alternatives}):
            leaves = [
                None if leaf is ABSENT else leaf.forms[0] if isinstance(leaf, Alternatives) else leaf
                for leaf in leaves
            ]
        return leaves if self.listed or len(leaves) != 1 else leaves[0]

    def shown(self, kind: Kind) -> Any:
        """For the log: as ``sent``, with the object for each text that names one to rules of this kind."""
        if kind.name not in self._shown:
            self._shown[kind.name] = _as_object(self.sent, kind)
        return self._shown[kind.name]

    def objects(self, kind: Kind) -> Named:
        """What the values name to a rule that allows."""
        return self._name(kind, denies=False)

    def suspects(self, kind: Kind) -> Named:
        """What they may name to a rule that denies; all of it as single objects."""
        return self._name(kind, denies=True)

    def _name(self, kind: Kind, *, denies: bool) -> Named:
        key = (kind.name, denies)
        found = self._named.get(key)
        if found is None:
            read, read_all = (kind.suspect, kind.all_suspect) if denies else (kind.read, kind.all_read)
            found = self._named[key] = _name(self, kind, read, read_all, denies=denies)
        return found


def _as_object(plain: Any, kind: Kind) -> Any:
    if isinstance(plain, list):
        return [_as_object(each, kind) for each in plain] if len(plain) <= MAX_SHOWN else plain
    if not kind.names or not isinstance(plain, str):
        return plain
    objects = kind.read(plain)
    return objects[0] if objects else plain


def _name(values: Values, kind: Kind, read: Read, read_all: ReadAll | None, *, denies: bool) -> Named:
    singles: set[Canonical] = set()
    eithers: set[Either] = set()
    for type_, group in _by_type(values):
        if type_ is dict or type_ is list:
            return Named(singles, eithers, regular=False)
        if type_ is str:
            _spend_letters(values.effort, group)
        if len(group) > FEW:
            found = _read_at_once(kind, read_all, type_, group)
            if found is not None:
                values.effort.spend(len(group) // PLAIN)
                singles = singles | found if singles else found
                continue
        distinct = set(group)
        if len(distinct) > FEW:
            values.effort.spend(ODD * len(distinct))
        for leaf in distinct:
            for each in _forms(leaf, denies=denies) if type_ is Alternatives else (leaf,):
                if kind.separator == "/" and isinstance(each, str):
                    is_plain = each.isascii() and "%" not in each
                    values.effort.spend(max(len(each) // 2 if is_plain else 6 * len(each), ODD) - ODD)
                for part in kind.parts(each):
                    objects = read(part)
                    if objects is None:
                        return Named(singles, eithers, regular=False)
                    _add(objects, singles, eithers, denies=denies)
    return Named(singles, eithers, regular=True)


def _spend_letters(effort: Effort, group: list[str]) -> None:
    """Before they are brought to their normal forms, which takes a microsecond for a letter that stands for eighteen."""
    whole = "".join(group)
    if whole.isascii():
        effort.spend(max(len(whole) // LETTERS - len(group), 0))
    else:
        odd = len(whole) // ODD_LETTERS
        effort.spend(odd)
        effort.spend(odd * (growth(whole) - 1))


def _forms(leaf: Alternatives, *, denies: bool) -> tuple[str, ...]:
    return leaf.forms + leaf.suspected if denies else leaf.forms


def _add(objects: Objects, singles: set[Canonical], eithers: set[Either], *, denies: bool) -> None:
    if denies or len(objects) == 1:
        singles.update(objects)
    else:
        eithers.add(Either.of(objects))  # type: ignore[arg-type]


def _by_type(values: Values) -> Iterable[tuple[type, list[Any]]]:
    """The values, each type by itself, since 1 and True are equal."""
    types = values.types - _MISSING
    if len(types) == 1:
        return [(types.pop(), values.given)]
    found: dict[type, list[Any]] = {}
    for leaf in values.given:
        found.setdefault(type(leaf), []).append(leaf)
    return found.items()


def _read_at_once(
    kind: Kind, read_all: ReadAll | None, type_: type, group: list[Any]
) -> set[Canonical] | None:
    """The objects of many values; None where they have to be looked at one by one."""
    if type_ is int and kind.whole is not None:
        plain = min(group) >= -(2**63) and max(group) < 2**63
        return (set(group) if kind.whole is int else set(map(kind.whole, group))) if plain else None
    if type_ is not str or read_all is None:
        return None
    if kind.whole is int:
        return integers(group)
    lines = "\n".join(group)
    if lines.count("\n") != len(group) - 1 or (len(lines) > MAX_VALUE and max(map(len, group)) > MAX_VALUE):
        return None
    found = read_all(lines)
    if found is None:
        return None
    return set(group if found is lines else found.split("\n"))
