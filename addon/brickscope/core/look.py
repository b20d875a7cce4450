"""What rules look at in a body, made at load time, and what a body has there, gathered once for all of them.

A name that folds to one that a rule looks at, without being it, leaves open what the API reads; all other names are no
matter. Each level of a body is gone through by operations on all its objects at once.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .constraint import Constraint
from .decision import Refused
from .normal import fold
from .reason import Reason
from .values import ABSENT, Effort, Values, too_complex

MAX_FOREIGN = 8 * 1024
"""Most characters of distinct names beyond ASCII that are folded in one call, since folding them costs more than parsing
them. Names that no rule could look at (`spark_conf` and the like, unless a rule does) are not folded."""

Keys = tuple[str, ...]
# Letters and digits without case, no more; NUL stays, between the names.
_FOLD = {code: chr(code).lower() if chr(code).isalnum() else None for code in range(1, 128)}


class Look:
    """A step down into a body: which names below it rules look at. ``ends``: whether they look at what is here. ``is_map``:
    whether it is an object of any keys, for which some services take a list of pairs (spellings.md section 5)."""

    __slots__ = ("below", "ends", "folds", "is_map")

    def __init__(self) -> None:
        self.below: dict[str, Look] = {}
        self.folds: dict[str, str] = {}
        self.ends = False
        self.is_map = False

    def add(self, keys: Keys, maps: frozenset[int] = frozenset(), depth: int = 0) -> None:
        """Look at what is down this way. ``maps``: how many keys lead to maps."""
        self.is_map = self.is_map or depth in maps
        if depth == len(keys):
            self.ends = True
            return
        name = keys[depth]
        if name not in self.below:
            self.below[name] = Look()
            self.folds[fold(name)] = name
        self.below[name].add(keys, maps, depth + 1)


def looks_of(constraints: Iterable[Constraint]) -> Look:
    """What the constraints of rules for one operation look at in a body."""
    found = Look()
    for constraint in constraints:
        # What belongs in the path or query must not stand in the body under whatever spelling.
        found.add(constraint.keys if constraint.place == "body" else constraint.keys[:1], constraint.maps)
        for keys in constraint.others:
            found.add(keys)
    return found


class Gathered:
    """What one body has for the rules that look at it. ``values``: by their keys. ``similar``: why it is open what the API
    reads for a name on top."""

    def __init__(
        self,
        looks: Look,
        body: Mapping[str, Any],
        further: Collection[str] = (),
        effort: Effort | None = None,
    ) -> None:
        """``further``: names on top that only other readers find. ``effort``: what judging the call has cost so far. Raises
        Refused(TOO_COMPLEX)."""
        self.body = body
        self.effort = effort or Effort()
        self.values: dict[Keys, Values] = {}
        self.similar: Mapping[str, Refused] = {}
        self._foreign = 0
        if body and looks.below:
            self._below(looks, (), Values([body], effort=self.effort))
            if further:
                self.similar = {**self.similar, **self._taken(looks, set(further))}

    def _walk(self, look: Look, there: Values, keys: Keys) -> None:
        """Gather what rules look at: the values at ``keys``, and what is below them."""
        values = self._flatten(there)
        if look.is_map and values is not there:
            values.odd = True
        if look.ends:
            self.values[keys] = values
        if look.below:
            self._below(look, keys, values)

    def _below(self, look: Look, keys: Keys, values: Values) -> None:
        leaves = values.leaves
        objects = leaves if values.types == {dict} else [leaf for leaf in leaves if isinstance(leaf, dict)]
        there: set[str] = set().union(*objects)
        similar = self._similar(look, there)
        if not keys:
            self.similar = similar
        # A text or number where an object belongs.
        odd = values.odd or not values.types.issubset({dict, type(ABSENT), type(None)})
        for name, below in look.below.items():
            doubt = values.doubt or similar.get(name)
            if name not in there:
                lacking = values.lacking(doubt)
                lacking.odd = odd
                self._walk(below, lacking, (*keys, name))
                continue
            if objects is leaves:
                found = [leaf.get(name) for leaf in leaves]
            else:
                found = [leaf.get(name) if isinstance(leaf, dict) else None for leaf in leaves]
            way = Values(
                found,
                listed=values.listed,
                hollow=values.hollow,
                odd=odd,
                doubt=doubt,
                effort=self.effort,
            )
            self._walk(below, way, (*keys, name))

    def _flatten(self, way: Values) -> Values:
        """What is at one place, with lists gone through; a list in a list can't be."""
        if list not in way.types:
            return way
        found = Values([], listed=True, hollow=way.hollow, odd=way.odd, doubt=way.doubt, effort=self.effort)
        leaves = found.leaves
        for value in way.leaves:
            if not isinstance(value, list):
                leaves.append(value)
                continue
            found.hollow = found.hollow or not value
            leaves += value
            if not {list, type(None)}.isdisjoint(map(type, value)):
                found.odd = True
        if found.odd:
            found.leaves = [leaf for leaf in leaves if not isinstance(leaf, list)]
        return found

    def _similar(self, look: Look, there: set[str]) -> dict[str, Refused]:
        """For each name that rules look at, whether there is one that could be taken for it."""
        names = there - look.below.keys()
        return self._taken(look, names) if names else {}

    def _taken(self, look: Look, names: set[str]) -> dict[str, Refused]:
        folds = self._folds(names)
        return {name: taken_for(name) for form, name in look.folds.items() if form in folds}

    def _folds(self, names: set[str]) -> set[str]:
        """What names could be taken for: each whole, and up to a NUL, which ends a text to some."""
        plain = [name for name in names if name.isascii()]
        joined = "\0".join(plain)
        folds = set(joined.translate(_FOLD).split("\0"))
        if joined.count("\0") != len(plain) - 1:
            folds.update(fold(name) for name in plain if "\0" in name)
        for name in names.difference(plain) if len(plain) < len(names) else ():
            self._foreign += len(name)
            if self._foreign > MAX_FOREIGN:
                raise too_complex()
            folds.update((fold(name), fold(name.partition("\0")[0])))
        return folds


def taken_for(name: str) -> Refused:
    """The refusal of a call in which another name could be a parameter's."""
    return Refused(Reason.PARAMETER_TWICE, f"a name could be mistaken for the parameter {name!r}")
