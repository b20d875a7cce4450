"""Constraints: what a rule says about one parameter of an operation, wherever the call carries it.

One written semantics for path, query and body (docs/rules.md). A rule that **allows** takes a value that is regular and
meets the test, in every object that it may name. A rule that **denies** lets a value pass only if it is regular and
surely does not meet the test. Absent (also ``null``, which the API reads as not given) meets ``absent`` and ``optional``
only, since the server's default is not known here. Through a list: to allow, all elements have to meet, and an empty list
does not; to deny, one is enough.

Tests are sets made at load time, so that a list of ids costs the same whether a rule names one or a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import Any, NamedTuple

from .decision import Refused
from .kind import KINDS, Canonical, Kind
from .query import Alternatives
from .reason import Reason
from .template import Literal, Rest, Template, Variable

ABSENT: Any = object()
MAX_COMPARED = 250_000
"""Most comparisons of one call's values with prefixes and patterns (values times rules). A call beyond is denied."""


class Values:
    """What a call has for one parameter.

    ``leaves``: as they came, all elements of lists, ABSENT for what lacks it. ``listed``: whether a list was gone through;
    ``hollow``: whether one was empty. ``odd``: whether there is something that can't be compared: a list in a list, a text
    where an object belongs. ``doubt``: why nobody can say what the call has; raised when a rule asks.
    """

    __slots__ = ("_read", "_suspected", "doubt", "hollow", "leaves", "listed", "odd")

    def __init__(self, leaves: list[Any], *, listed: bool = False, doubt: Refused | None = None) -> None:
        self.leaves = leaves
        self.listed = listed
        self.hollow = False
        self.odd = False
        self.doubt = doubt
        self._read: tuple[Kind, set[Canonical], bool] | None = None
        self._suspected: tuple[Kind, set[Canonical], bool] | None = None

    @property
    def is_absent(self) -> bool:
        """Whether something that could have it lacks it."""
        return any(leaf is ABSENT or leaf is None for leaf in self.leaves)

    @property
    def given(self) -> list[Any]:
        """The leaves that are there."""
        return [leaf for leaf in self.leaves if leaf is not ABSENT and leaf is not None]

    def objects(self, kind: Kind) -> tuple[set[Canonical], bool]:
        """All that the values may name to a rule that allows, and whether they all are regular."""
        if self._read is None or self._read[0] is not kind:
            self._read = (kind, *_read_all(kind.read, self.given))
        return self._read[1], self._read[2]

    def suspects(self, kind: Kind) -> tuple[set[Canonical], bool]:
        """The same to a rule that denies."""
        if self._suspected is None or self._suspected[0] is not kind:
            self._suspected = (kind, *_read_all(kind.suspect, self.given))
        return self._suspected[1], self._suspected[2]


def _read_all(read: Any, leaves: list[Any]) -> tuple[set[Canonical], bool]:
    found: set[Canonical] = set()
    # Equal values once; 1 and True are equal, so each type by itself.
    by_type: dict[type, set[Any]] = {}
    for leaf in leaves:
        if isinstance(leaf, dict | list):
            return found, False
        by_type.setdefault(type(leaf), set()).add(leaf)
    for distinct in by_type.values():
        for leaf in distinct:
            for each in leaf if isinstance(leaf, Alternatives) else (leaf,):
                objects = read(each)
                if objects is None:
                    return found, False
                found.update(objects)
    return found, True


class Test(NamedTuple):
    """What a value must be, in the canonical forms of its kind; exactly one of the tests is set, beside ``optional``.

    ``only``: the value is an object that has no keys but these. ``separator``: between the parts of a pattern.
    ``ancestors``: all that something named lies below; a rule that denies is met by it where the operation acts on all that
    lies below its object.
    """

    kind: Kind = KINDS["text"]
    one_of: frozenset[Canonical] | None = None
    prefix: tuple[str, ...] | None = None
    pattern: tuple[Template, ...] | None = None
    low: int | None = None
    high: int | None = None
    absent: bool = False
    only: frozenset[str] | None = None
    optional: bool = False
    separator: str = ""
    ancestors: frozenset[Canonical] = frozenset()

    @property
    def compares(self) -> bool:
        """Whether it is held against each value by itself, and not as a set."""
        return self.prefix is not None or self.pattern is not None

    def is_met(self, values: Values) -> bool:
        """Whether a rule that allows takes a parameter as it is."""
        if values.is_absent and not (self.absent or self.optional):
            return False
        if values.hollow or values.odd or not values.leaves:
            return False
        given = values.given
        if not given:
            return True
        if self.absent:
            return False
        if self.only is not None:
            return all(isinstance(each, Mapping) and self.only.issuperset(each) for each in given)
        objects, regular = values.objects(self.kind)
        return regular and self.holds_all(objects)

    def takes(self, value: Any) -> bool:
        """Whether one value (ABSENT for none) is what it must be."""
        return self.is_met(Values([value]))

    def holds_all(self, objects: Set[Canonical]) -> bool:
        """Whether all of these objects are what the test names."""
        if self.one_of is not None:
            return objects <= self.one_of
        if self.low is not None or self.high is not None:
            return all(self._is_between(each) for each in (min(objects), max(objects)))
        return all(self.holds(each) for each in objects)

    def holds(self, found: Canonical) -> bool:
        """Whether an object is what the test names."""
        if self.one_of is not None:
            return found in self.one_of
        if self.low is not None or self.high is not None:
            return self._is_between(found)
        text = str(found)
        if self.prefix is not None:
            return text.startswith(self.prefix)
        return any(fits(template, text, self.separator) for template in self.pattern or ())

    def may_be_met(self, values: Values, *, replaced: bool = False, below: bool = False) -> bool:
        """Whether some server could read a parameter as one that meets the test; for rules that deny. ``replaced``: whether
        the call has another parameter that stands in for it. ``below``: whether it acts on all below the object it names."""
        if values.odd or (values.is_absent and (self.absent or self.optional or replaced)):
            return True
        if self.absent or not values.given:
            return False
        objects, regular = values.suspects(self.kind)
        if not regular:
            return True
        if self.one_of is not None and not objects.isdisjoint(self.one_of):
            return True
        if self.low is not None or self.high is not None:
            return any(map(self._is_between, objects))
        if below and not self.ancestors.isdisjoint(objects):
            return True
        return self.compares and any(self._suspects(str(each), below) for each in objects)

    def _suspects(self, text: str, below: bool) -> bool:
        """Prefix and pattern for rules that deny. A folder's own name is denied with what is in it."""
        if self.prefix is not None:
            return f"{text}{self.separator}".startswith(self.prefix)
        return any(fits(template, text, self.separator, whole=not below) for template in self.pattern or ())

    def _is_between(self, found: Canonical) -> bool:
        if not isinstance(found, int | Decimal):
            return False
        return (self.low is None or found >= self.low) and (self.high is None or found <= self.high)


def fits(template: Template, text: str, separator: str, *, whole: bool = True) -> bool:
    """Whether a text's parts are those of a pattern; not ``whole``: or the beginning of what fits."""
    parts = text.removeprefix("/").split(separator)
    wanted = template.segments
    for index, segment in enumerate(wanted):
        if index >= len(parts):
            return not whole
        if isinstance(segment, Rest):
            return all(parts[index:])
        if not parts[index]:
            return False
        if isinstance(segment, Literal) and parts[index] != segment.text:
            return False
        if isinstance(segment, Variable) and segment.verb is not None:
            return False
    return len(parts) == len(wanted)


def ancestors(named: Iterable[str], separator: str) -> frozenset[Canonical]:
    """All that lies above these names, and they themselves: what an operation on everything below it would act on."""
    found: set[Canonical] = set()
    for name in named:
        parts = name.rstrip(separator).split(separator)
        found.update(separator.join(parts[:count]) or separator for count in range(1, len(parts) + 1))
    return frozenset(found)


class Constraint(NamedTuple):
    """One parameter and its test. ``place``: ``path``, ``query`` or ``body``. ``keys``: its name, in a body also a way
    down into objects (through lists). ``many``: whether a query may have it several times.

    What the catalogue knows of it: ``stand_ins``, parameters that can say the same in its place; ``alternatives``, of
    which a call has one or this one; of both only those that the same rule does not limit. ``below``: whether the operation
    acts on all that lies below the object it names: None, it does not; empty, always; else if one of these is given and not
    false.
    """

    name: str
    place: str
    keys: tuple[str, ...]
    test: Test
    text: str
    many: bool = False
    stand_ins: frozenset[tuple[str, ...]] = frozenset()
    alternatives: frozenset[tuple[str, ...]] = frozenset()
    below: tuple[tuple[str, ...], ...] | None = None

    @property
    def others(self) -> tuple[tuple[str, ...], ...]:
        """All other parameters that it looks at."""
        return (*self.stand_ins, *self.alternatives, *(self.below or ()))


def too_complex() -> Refused:
    """The refusal of a call that would cost more to judge than it may."""
    return Refused(
        Reason.TOO_COMPLEX,
        f"the rules would need more than {MAX_COMPARED:,} comparisons for the call's values",
    )
