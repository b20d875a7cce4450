"""The parameters of one call: path variables, query values and body, each in one place and under one name.

Rules say which parameters they look at (``look.py``), and a body is gone through once for all of them. A name that folds to
one that a rule looks at, without being it, or the same parameter in two places, leaves open what the API reads; the rules
that look at it then refuse the call. All other names are no matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote_plus

from .body import read_body, unpacked
from .constraint import Constraint
from .decision import Refused
from .look import Gathered, Keys, Look, looks_of, taken_for
from .message import Batch, Message, read_messages
from .multipart import is_multipart
from .normal import fold
from .path import Reading
from .query import Pair, alternatives, read_hidden, read_query
from .reason import Reason
from .request import ApiRequest
from .template import Template, bind
from .values import ABSENT, Effort, Values, too_complex

__all__ = ["HeldBody", "Look", "Parameters", "looks_of", "read_parameters"]

_PART = re.compile(r"[.\[]")
_FIELD = re.compile(rb"&([^&=]{0,1024}+)=")
MAX_FIELDS = 10_000
"""Most names that are looked at in JSON that says it is a form."""
MAX_SEPARATORS = 1_000_000
"""Most ``&`` and ``;`` in it: with more it would take too long to see that no names follow."""


class Parameters:
    """What a call carries. ``names``: of all query parameters but the choice of a workspace, and of the body's own keys, as
    they were written."""

    def __init__(self, path: Mapping[str, str], query: str | None, gathered: Gathered) -> None:
        """``gathered``: from the body. Raises Refused(QUERY_NOT_CANONICAL)."""
        self._path = path
        self._query = query
        self._pairs = read_query(query)
        self._by_fold: dict[str, list[Pair]] | None = None
        self._body = gathered.body
        self._gathered = gathered
        self._values: dict[tuple[str, Keys], tuple[Values, Refused | None]] = {}
        self.names = (
            frozenset(pair.name for pair in self._pairs if pair.plain and pair.name not in ("", "o"))
            | self._body.keys()
        )

    # -- one parameter -----------------------------------------------------------------------------------------

    def values(self, constraint: Constraint) -> Values:
        """What the call has for a constraint's parameter. Raises Refused(PARAMETER_TWICE or PARAMETER_MISPLACED)."""
        where = (constraint.place, constraint.keys)
        found = self._values.get(where)
        if found is None:
            values = self._look_up(constraint)
            found = self._values[where] = (values, values.doubt or self._doubt(constraint))
        values, doubt = found
        if doubt is not None:
            raise doubt
        return values

    def _look_up(self, constraint: Constraint) -> Values:
        if constraint.place == "body":
            return self._gathered.values.get(constraint.keys) or Values([ABSENT])
        name = constraint.keys[0]
        effort = self._gathered.effort
        if constraint.place == "path":
            return Values([self._path.get(name, ABSENT)], effort=effort)
        given = alternatives(self._query, name) if self._query else []
        # Several: servers take the first, the last, or both as a list.
        doubt = _twice(name) if len(given) > 1 and not constraint.many else None
        return Values([*given] or [ABSENT], listed=len(given) > 1, doubt=doubt, effort=effort)

    def has_any(self, names: Iterable[Keys], *, false_counts: bool = True) -> bool:
        """Whether the call may have one of these parameters; not ``false_counts``: other than as plainly false.

        Raises Refused(PARAMETER_TWICE).
        """
        return any(
            found.odd
            or (bool(found.given) if false_counts else found.hollow or not all(map(_is_false, found.given)))
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
        found = self._gathered.values.get(keys)
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
            return taken_for(name)
        if whole != name and any(not _PART.search(pair.name) for pair in self._similar(whole)):
            # `filter_by.statuses` is one member of `filter_by`; all of it may be sent in one piece, too.
            return taken_for(name)
        if name in self._gathered.similar:
            return self._gathered.similar[name]
        found = [
            where
            for where, there in (
                ("path", name in self._path),
                ("query", similar),
                ("body", name in self._body),
            )
            if there
        ]
        # The official SDK sends whole objects, which repeat the name that stands in the path or query.
        before = (
            [self._path[name]] if place == "path" and name in self._path else [each.value for each in similar]
        )
        if found == [place, "body"] and all(_is_same(each, self._body[name]) for each in before):
            found = [place]
        if len(found) > 1:
            return _twice(name)
        if found and found[0] != place:
            return Refused(
                Reason.PARAMETER_MISPLACED,
                f"the parameter {name!r} is in the {found[0]}; the API reads it in the {place}",
            )
        return None

    def _similar(self, name: str) -> list[Pair]:
        """The parameters of the query that a server could take for one of this name: also `queue.enabled=` and `job_id[]=`,
        which are parts of `queue` and `job_id` to some readers."""
        if self._by_fold is None:
            self._by_fold = {}
            for pair in [*self._pairs, *(read_hidden(self._query) if self._query else ())]:
                for form in {fold(pair.name), fold(_PART.split(pair.name)[0])}:
                    self._by_fold.setdefault(form, []).append(pair)
        return self._by_fold.get(fold(name), [])


def _twice(name: str) -> Refused:
    return Refused(Reason.PARAMETER_TWICE, f"the parameter {name!r} is given twice")


def _is_false(value: Any) -> bool:
    return value is False or value == "false"


def _is_same(in_path: str, in_body: Any) -> bool:
    return isinstance(in_body, str | int) and not isinstance(in_body, bool) and str(in_body) == in_path


class HeldBody:
    """The body of a call, read once for all readings and rules."""

    __slots__ = ("_content", "_effort", "_gathered", "_messages", "_raw", "_request")

    def __init__(self, request: ApiRequest, raw: bytes) -> None:
        self._raw = raw
        self._request = request
        self._content: dict[str, Any] | Refused | None = None
        self._messages: tuple[bool, tuple[tuple[Message, HeldBody], ...]] | None = None
        self._effort: Effort | None = None
        self._gathered: dict[int, tuple[Look, Gathered]] = {}

    def gather(self, looks: Look) -> Gathered:
        """What it has for rules. Raises Refused: TOO_COMPLEX or what ``read_body`` raises."""
        found = self._gathered.get(id(looks))
        if found is None:
            further = self._fields() if looks.below else ()
            gathered = Gathered(looks, self._read(), further, self._effort)
            found = self._gathered[id(looks)] = (looks, gathered)
        return found[1]

    def messages(self, known: Collection[str]) -> tuple[bool, tuple[tuple[Message, HeldBody], ...]]:
        """Whether it is a batch, and the JSON-RPC messages in it, each with what its call has for a body. Judging them all
        may cost no more than judging one. Raises Refused as ``read_messages`` does."""
        if self._messages is None:
            effort = Effort()
            found = read_messages(self._request, self._raw, known)
            pairs = tuple([(each, self._within(each.params, effort)) for each in found])
            self._messages = (isinstance(found, Batch), pairs)
        return self._messages

    def _within(self, content: dict[str, Any], effort: Effort) -> HeldBody:
        found = HeldBody(self._request, b"")
        found._content = content
        found._effort = effort
        return found

    def _fields(self) -> list[str]:
        """The names that a server finds which reads JSON as a form because its type says so (curl's ``-d`` does)."""
        kind = self._request.content_type.lower()
        if "form" not in kind or is_multipart(kind) or not self._raw:
            return []
        form = unpacked(self._request, self._raw).replace(b";", b"&")
        if form.count(b"&") > MAX_SEPARATORS:
            raise too_complex()
        names = [found[1] for found in islice(_FIELD.finditer(form), MAX_FIELDS + 1)]
        if len(names) > MAX_FIELDS:
            raise too_complex()
        return [unquote_plus(name.decode("utf-8", "replace")) for name in names]

    def _read(self) -> dict[str, Any]:
        if self._content is None:
            try:
                self._content = read_body(self._request, self._raw)
            except Refused as refused:
                self._content = refused
        if isinstance(self._content, Refused):
            raise self._content
        return self._content


def read_parameters(
    request: ApiRequest, reading: Reading, template: Template, body: bytes | HeldBody | None, looks: Look
) -> Parameters:
    """Read them. ``body``: None where it was not held, and is none of the matter.

    Raises Refused: QUERY_NOT_CANONICAL, TOO_COMPLEX or what ``read_body`` raises.
    """
    held = HeldBody(request, body) if isinstance(body, bytes) else body
    gathered = Gathered(looks, {}) if held is None else held.gather(looks)
    return Parameters(bind(template, reading.segments), reading.query, gathered)
