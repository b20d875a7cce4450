"""The parameters of one call: path variables, query values and body, each in one place and under one name.

Rules say which parameters they look at (``Look``, made at load time), and a body is gone through once for all of them. A
name that folds to one that a rule looks at, without being it, or the same parameter in two places, leaves open what the
API reads; the rules that look at it then refuse the call. All other names are no matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from .body import read_body
from .constraint import ABSENT, Constraint, Values, too_complex
from .decision import Refused
from .normal import fold
from .path import Reading
from .query import Pair, alternatives, read_query
from .reason import Reason
from .request import ApiRequest
from .template import Template, bind

MAX_FOREIGN = 64 * 1024
"""Most characters of long names beyond ASCII that are folded in one call; folding them costs more than parsing them."""

Keys = tuple[str, ...]
_PART = re.compile(r"[.\[]")


class Look:
    """A step down into a body: which names below it rules look at. ``ends``: whether they look at what is here."""

    __slots__ = ("below", "ends", "folds")

    def __init__(self) -> None:
        self.below: dict[str, Look] = {}
        self.folds: dict[str, str] = {}
        self.ends = False

    def add(self, keys: Keys) -> None:
        """Look at what is down this way."""
        if not keys:
            self.ends = True
            return
        if keys[0] not in self.below:
            self.below[keys[0]] = Look()
            self.folds[fold(keys[0])] = keys[0]
        self.below[keys[0]].add(keys[1:])


def looks_of(constraints: Iterable[Constraint]) -> Look:
    """What the constraints of rules for one operation look at in a body."""
    found = Look()
    for constraint in constraints:
        # What belongs in the path or query must not stand in the body under whatever spelling.
        found.add(constraint.keys if constraint.place == "body" else constraint.keys[:1])
        for keys in constraint.others:
            found.add(keys)
    return found


class Parameters:
    """What a call carries. ``names``: of all query parameters and of the body's own keys, as they were written."""

    def __init__(
        self, path: Mapping[str, str], query: str | None, body: Mapping[str, Any], looks: Look
    ) -> None:
        """Raises Refused(QUERY_NOT_CANONICAL or TOO_COMPLEX)."""
        self._path = path
        self._query = query
        self._pairs = read_query(query)
        self._by_fold: dict[str, list[Pair]] | None = None
        self._body = body
        self._foreign = 0
        self._in_body: dict[Keys, Values] = {}
        self._values: dict[tuple[str, Keys], Values] = {}
        self._similar_on_top: Mapping[str, Refused] = {}
        self.names = frozenset(pair.name for pair in self._pairs if pair.plain and pair.name) | body.keys()
        self.compared = 0
        """How many values were held against prefixes and patterns."""
        if body and looks.below:
            self._walk(looks, [body], (), Values([]))

    # -- one parameter -----------------------------------------------------------------------------------------

    def values(self, constraint: Constraint) -> Values:
        """What the call has for a constraint's parameter. Raises Refused(PARAMETER_TWICE or PARAMETER_MISPLACED)."""
        where = (constraint.place, constraint.keys)
        found = self._values.get(where)
        if found is None:
            found = self._values[where] = self._look_up(constraint)
            found.doubt = found.doubt or self._doubt(constraint)
        if found.doubt is not None:
            raise found.doubt
        return found

    def _look_up(self, constraint: Constraint) -> Values:
        if constraint.place == "body":
            return self._in_body.get(constraint.keys) or Values([ABSENT])
        name = constraint.keys[0]
        if constraint.place == "path":
            return Values([self._path.get(name, ABSENT)])
        given = alternatives(self._query, name) if self._query else []
        found = Values([*given] or [ABSENT], listed=len(given) > 1)
        if len(given) > 1 and not constraint.many:
            found.doubt = _twice(name)  # servers take the first, the last, or both as a list
        return found

    def has_any(self, names: Iterable[Keys], besides: Collection[str] = ()) -> bool:
        """Whether the call may have one of these parameters; ``besides``: values that do not count, as ``repr`` writes them.

        Raises Refused(PARAMETER_TWICE).
        """
        return any(
            found.odd or any(repr(each) not in besides for each in found.given)
            for keys in names
            for found in self._there(keys)
        )

    def given(self, names: Iterable[Keys]) -> dict[str, Values]:
        """Those of these parameters that the call has, by their dotted names. Raises Refused(PARAMETER_TWICE)."""
        return {
            ".".join(keys): found for keys in names for found in self._there(keys) if found.odd or found.given
        }

    def _there(self, keys: Keys) -> Iterator[Values]:
        """What the call has of a parameter, wherever it is."""
        similar = self._similar(keys[0])
        if similar:
            yield Values([pair.value for pair in similar], listed=len(similar) > 1)
        if keys[0] in self._path:
            yield Values([self._path[keys[0]]])
        found = self._in_body.get(keys)
        if found is not None:
            if found.doubt is not None:
                raise found.doubt
            yield found

    def others(self, known: Collection[str]) -> list[str]:
        """The names of parameters that are not among ``known``: exactly, or in a query as a member of one
        (``filter_by.statuses``). The choice of a workspace is none, nor is a body's repetition of what is in the path."""
        in_query = {
            pair.name
            for pair in self._pairs
            if pair.name and pair.name != "o" and pair.name.partition(".")[0] not in known
        }
        in_body = {
            name
            for name, value in self._body.items()
            if not (name in self._path and _is_same(self._path[name], value))
        }
        return sorted(name for name in in_query | in_body if name not in known)

    def _doubt(self, constraint: Constraint) -> Refused | None:
        """Why it is open which value the API reads for a parameter; None if it is not."""
        name, place = constraint.keys[0], constraint.place
        whole = name.partition(".")[0]
        similar = self._similar(name)
        if any(pair.name != name or not pair.plain for pair in similar):
            return _taken_for(name)
        if whole != name and any(not _PART.search(pair.name) for pair in self._similar(whole)):
            # `filter_by.statuses` is one member of `filter_by`; all of it may be sent in one piece, too.
            return _taken_for(name)
        if name in self._similar_on_top:
            return self._similar_on_top[name]
        found = [
            where
            for where, there in (
                ("path", name in self._path),
                ("query", similar),
                ("body", name in self._body),
            )
            if there
        ]
        if found == ["path", "body"] and _is_same(self._path[name], self._body[name]):
            # The official SDK sends whole objects, which repeat the name that stands in the path.
            found = [place]
        if len(found) > 1:
            return _twice(name)
        if found and found[0] != place:
            return Refused(
                Reason.PARAMETER_MISPLACED,
                f"the parameter {name!r} is given in the {found[0]}; the API reads it in the {place}",
            )
        return None

    def _similar(self, name: str) -> list[Pair]:
        """The parameters of the query that a server could take for one of this name: also `queue.enabled=` and `job_id[]=`,
        which are parts of `queue` and `job_id` to some readers."""
        if self._by_fold is None:
            self._by_fold = {}
            for pair in self._pairs:
                for form in {fold(pair.name), fold(_PART.split(pair.name, maxsplit=1)[0])}:
                    self._by_fold.setdefault(form, []).append(pair)
        return self._by_fold.get(fold(name), [])

    # -- the body ----------------------------------------------------------------------------------------------

    def _walk(self, look: Look, level: list[Any], keys: Keys, way: Values) -> None:
        """Gather what rules look at below ``level``: the values at ``keys``. ``way``: what was met on the way there."""
        values = _flatten(level, way)
        if look.ends:
            self._in_body[keys] = values
        if not look.below:
            return
        objects = [value for value in values.leaves if isinstance(value, dict)]
        similar = self._similar_keys(look, objects)
        if not keys:
            self._similar_on_top = similar
        for name, below in look.below.items():
            step = Values([], listed=values.listed, doubt=values.doubt or similar.get(name))
            step.hollow, step.odd = values.hollow, values.odd
            found: list[Any] = []
            for value in values.leaves:
                if isinstance(value, dict):
                    found.append(value.get(name, ABSENT))
                elif value is ABSENT or value is None:
                    found.append(ABSENT)
                else:
                    step.odd = True
            self._walk(below, found, (*keys, name), step)

    def _similar_keys(self, look: Look, objects: list[dict[str, Any]]) -> dict[str, Refused]:
        """For each name that rules look at, whether one of these objects has a key that could be taken for it."""
        found: dict[str, Refused] = {}
        seen = set(look.below)
        for each in objects:
            if seen.issuperset(each):
                continue
            for key in each:
                if key in seen:
                    continue
                seen.add(key)
                if len(key) > 64 and not key.isascii():
                    self._foreign += len(key)
                    if self._foreign > MAX_FOREIGN:
                        raise too_complex()
                name = look.folds.get(fold(key))
                if name is not None:
                    found[name] = _taken_for(name)
        return found


def _flatten(level: list[Any], way: Values) -> Values:
    """What is at one place, with lists gone through; a list in a list can't be."""
    found = Values(level, listed=way.listed, doubt=way.doubt)
    found.hollow, found.odd = way.hollow, way.odd
    if any(isinstance(value, list) for value in level):
        leaves: list[Any] = []
        found.listed = True
        for value in level:
            if not isinstance(value, list):
                leaves.append(value)
                continue
            found.hollow = found.hollow or not value
            for each in value:
                if each is None or isinstance(each, list):
                    found.odd = True
                else:
                    leaves.append(each)
        found.leaves = leaves
    return found


def _twice(name: str) -> Refused:
    return Refused(Reason.PARAMETER_TWICE, f"the parameter {name!r} is given twice")


def _taken_for(name: str) -> Refused:
    return Refused(Reason.PARAMETER_TWICE, f"a name could be taken for the parameter {name!r}")


def _is_same(in_path: str, in_body: Any) -> bool:
    return isinstance(in_body, str | int) and not isinstance(in_body, bool) and str(in_body) == in_path


def read_parameters(
    request: ApiRequest, reading: Reading, template: Template, body: bytes | None, looks: Look
) -> Parameters:
    """Read them. ``body``: None where it was not held, and is none of the matter.

    Raises Refused: QUERY_NOT_CANONICAL, TOO_COMPLEX or what ``read_body`` raises.
    """
    content = {} if body is None else read_body(request, body)
    return Parameters(bind(template, reading.segments), reading.query, content, looks)
