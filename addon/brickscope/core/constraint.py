"""Constraints: what a rule says about one parameter of an operation, wherever the call carries it.

One written semantics for path, query and body (docs/rules.md). A rule that **allows** takes a value that is regular and
meets the test, in every object that it may name. A rule that **denies** lets a value pass only if it is regular and
surely does not meet the test. Absent (also ``null``, which the API reads as not given) meets ``absent`` and ``optional``
only, since the server's default is not known here. Through a list: to allow, all elements have to meet, and an empty list
does not; to deny, one is enough.

Tests are sets made at load time, so that a list of ids costs the same whether a rule names one or a hundred.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from .kind import KINDS, Canonical, Either, Kind
from .template import Literal, Rest, Template, Variable
from .values import ABSENT, MAX_COMPARED, Named, Values

__all__ = ["ABSENT", "MAX_COMPARED", "Constraint", "Test", "Values", "ancestors"]

_NEVER = r"(?!)"


class Test(NamedTuple):
    """What a value must be, in the canonical forms of its kind; exactly one of the tests is set, beside ``optional``.

    ``one_of``: of a rule that allows, an object that nobody knows for sure is an ``Either``, which only its like meets.
    ``prefix``, ``pattern``: in all forms; of a rule that allows, each by a reading of its own. ``only``: the value is an
    object that has no keys but these. ``separator``: between the parts of a pattern; ``rooted``: whether values begin so.
    ``ancestors``: all that something named lies below; a rule that denies is met by it where the operation acts on all
    that lies below its object. ``every``: what stands for every object, so it meets every test of a rule that denies.
    """

    kind: Kind = KINDS["text"]
    one_of: frozenset[Canonical] | None = None
    prefix: tuple[str, ...] | None = None
    pattern: tuple[Template, ...] | None = None
    low: int | Decimal | None = None
    high: int | Decimal | None = None
    absent: bool = False
    only: frozenset[str] | None = None
    optional: bool = False
    separator: str = ""
    rooted: tuple[bool, ...] = (True,)
    ancestors: frozenset[Canonical] = frozenset()
    every: frozenset[Canonical] = frozenset()

    # -- rules that allow --------------------------------------------------------------------------------------

    def is_met(self, values: Values) -> bool:
        """Whether a rule that allows takes a parameter as it is. Raises Refused(TOO_COMPLEX)."""
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
        found = values.objects(self.kind)
        return found.regular and self._takes(found, values)

    def takes(self, value: Any) -> bool:
        """Whether one value (ABSENT for none) is what it must be."""
        return self.is_met(Values([value]))

    def _takes(self, found: Named, values: Values) -> bool:
        if not all(map(self.holds, found.eithers)):
            return False
        if not found.singles:
            return True
        if self.one_of is not None:
            return found.singles <= self.one_of or (self.kind.covers and all(map(self.holds, found.singles)))
        if self.low is not None or self.high is not None:
            return self._is_between(found.least) and self._is_between(found.greatest)
        if self.prefix is not None:
            return all(map(found.begin, self.prefix))
        if not self.holds(found.least) or not self.holds(found.greatest):
            return False
        values.effort.spend(len(found.singles))
        return all(map(self.holds, found.singles))

    def holds(self, found: Canonical) -> bool:
        """Whether an object is what the test names: if it is one of several, whichever of them it is."""
        if self.one_of is not None:
            if found in self.one_of:
                return True
            if isinstance(found, Either):
                return all(map(self.holds, found.objects))
            return self.kind.covers and not self.one_of.isdisjoint(fields_above(str(found)))
        if self.low is not None or self.high is not None:
            return self._is_between(found)
        tests = self.prefix if self.prefix is not None else self._shapes(below=False)
        if not isinstance(found, Either):
            return bool(tests) and all(_fits(test, str(found)) for test in tests)
        objects = list(map(str, found.objects))
        if len(tests) == len(objects):  # the readings of the rule and those of the value, one by one
            return all(map(_fits, tests, objects))
        return bool(tests) and all(_fits(test, each) for test in tests for each in objects)

    def _is_between(self, found: Canonical) -> bool:
        if not isinstance(found, int | Decimal):
            return False
        return (self.low is None or found >= self.low) and (self.high is None or found <= self.high)

    # -- rules that deny ---------------------------------------------------------------------------------------

    def may_be_met(self, values: Values, *, replaced: bool = False, below: bool = False) -> bool:
        """Whether some server could read a parameter as one that meets the test; for rules that deny. ``replaced``: whether
        another parameter stands in for it in the call. ``below``: whether it acts on all below the object it names.

        Raises Refused(TOO_COMPLEX).
        """
        if (
            values.odd
            or (values.is_absent and (self.absent or self.optional))
            or (replaced and not self.absent)
        ):
            return True
        if self.absent or not values.given:
            return False
        found = values.suspects(self.kind)
        objects = found.singles
        if not found.regular or not self.every.isdisjoint(objects):
            return True
        if self.one_of is not None and not self.one_of.isdisjoint(objects):
            return True
        if self.low is not None or self.high is not None:
            at = 0 if self.low is None else bisect_left(found.ordered, self.low)
            return at < len(found.ordered) and self._is_between(found.ordered[at])
        if below and not self.ancestors.isdisjoint(objects):
            return True
        if self.prefix is not None:
            # A folder's own name is denied with what is in it.
            folders = {each.removesuffix(self.separator) for each in self.prefix if self.separator}
            return any(map(found.begins, self.prefix)) or not folders.isdisjoint(objects)
        return self.pattern is not None and self._is_suspected(found, values, below=below)

    def _is_suspected(self, found: Named, values: Values, *, below: bool) -> bool:
        if (below and self.separator in found.singles) or any(map(is_anything, self.pattern or ())):
            return True  # all, or the root of all
        for shape, fixed in zip(self._shapes(below=below), self._fixed, strict=True):
            near = found.ordered if below else found.beginning(fixed)
            values.effort.spend(len(near) if len(near) > 1 else 0)
            if any(map(shape.fullmatch, near)):
                return True
        return False

    def _shapes(self, *, below: bool) -> tuple[re.Pattern[str], ...]:
        """The pattern's forms as regular expressions, which a whole text has to fit. ``below``: or what begins so."""
        return tuple(
            _shape(template, self.separator, rooted, below)
            for template, rooted in zip(self.pattern or (), self._rooted, strict=True)
        )

    @property
    def _rooted(self) -> tuple[bool, ...]:
        count = len(self.pattern or ())
        return self.rooted if len(self.rooted) == count else self.rooted[:1] * count

    @property
    def _fixed(self) -> tuple[str, ...]:
        """How what fits each form begins."""
        return tuple(
            _beginning(template, self.separator, rooted)
            for template, rooted in zip(self.pattern or (), self._rooted, strict=True)
        )


def _fits(test: str | re.Pattern[str], text: str) -> bool:
    return text.startswith(test) if isinstance(test, str) else test.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _shape(template: Template, separator: str, rooted: bool, below: bool) -> re.Pattern[str]:
    """A pattern as a regular expression. ``below``: its last parts may be missing."""
    if is_anything(template):
        return re.compile(".*", re.DOTALL)
    between = re.escape(separator)
    part = f"[^{between}]+"
    shape = ""
    for index in reversed(range(len(template.segments))):
        segment = template.segments[index]
        match segment:
            case Literal(text):
                own = re.escape(text)
            case Variable(_, None):
                own = part
            case Rest(_, None):
                own = f"{part}(?:{between}{part})*"
            case _:
                own = _NEVER  # a verb can't be part of a value
        whole = f"{own}{shape}"
        shape = whole if index == 0 else f"(?:{between}{whole})?" if below else f"{between}{whole}"
    return re.compile(f"{between if rooted and separator == '/' else ''}{shape}", re.DOTALL)


def is_anything(template: Template) -> bool:
    """Whether every regular value fits."""
    return isinstance(template.segments[0], Rest)


def _beginning(template: Template, separator: str, rooted: bool) -> str:
    text = separator if rooted and separator == "/" else ""
    for index, segment in enumerate(template.segments):
        if not isinstance(segment, Literal):
            return text
        text += segment.text + (separator if index < len(template.segments) - 1 else "")
    return text


def ancestors(named: Iterable[str], separator: str) -> frozenset[Canonical]:
    """All that lies above these names, and they themselves: what an operation on everything below it would act on."""
    found: set[Canonical] = set()
    for name in named:
        parts = name.rstrip(separator).split(separator)
        found.update(separator.join(parts[:count]) or separator for count in range(1, len(parts) + 1))
    return frozenset(found)


MAX_DEPTH = 16
"""Most names in a row that are looked at in a field; the API's have five."""


def fields_above(field: str) -> Iterable[str]:
    """The fields that a field of a mask is a part of; of a path, nothing."""
    return ("*", *accumulate(field.split(".", MAX_DEPTH)[:-1], "{}.{}".format)) if field[:1] != "/" else ()


class Constraint(NamedTuple):
    """One parameter and its test. ``place``: ``path``, ``query`` or ``body``. ``keys``: its name, in a body also a way
    down into objects (through lists). ``many``: whether a query may have it several times.

    What the catalogue knows of it: ``stand_ins``, parameters that can say the same in its place; ``alternatives``, of
    which a call has one or this one; of both only those that the same rule does not limit. ``below``: whether the operation
    acts on all that lies below the object it names: None, it does not; empty, always; else if one of these is given and not
    false. ``maps``: how many of its keys lead to an object of any keys, for which some services take a list of pairs.
    ``twice``: whether the API has a path variable in the body too.
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
    maps: frozenset[int] = frozenset()
    twice: bool = False

    @property
    def others(self) -> tuple[tuple[str, ...], ...]:
        """All other parameters that it looks at."""
        return (*self.stand_ins, *self.alternatives, *(self.below or ()))
