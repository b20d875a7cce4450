"""Constraints: what a rule says about one parameter of an operation, wherever the call carries it.

One written semantics for path, query and body (docs/rules.md):

* **absent** (also ``null``, which the API reads as not given) meets no test but ``absent`` and those with ``optional``:
  the server's default is not known here.
* **numbers and text**: an integer and its decimal text are the same value, since the API takes ids as either. Nothing
  else is: not ``1012.0``, ``1e3``, ``01012`` or `` 1012``. ``true`` is the value, not the word (but in a query).
* **case** counts. **Lists**: every element must meet the test, and an empty list meets none.

A rule that **denies** turns doubt round: it is met by every value that some server could read as one that meets it (another
case, ``1012.0``, one element of a list, a path with dots in it), and by nothing that is absent.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Any, NamedTuple

from .body import Number
from .parameters import ABSENT, UNREADABLE, Parameters, look
from .template import Literal, Rest, Template, Variable

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\Z")


def canonical(value: Any, *, query: bool = False) -> str | bool | None:
    """A value as it is compared: decimal text for integers, truth values as they are; None for what is no scalar."""
    if isinstance(value, Number):
        return None
    if query and value in ("true", "false"):
        return bool(value == "true")
    if isinstance(value, str | bool):
        return value
    return str(value) if isinstance(value, int) else None


class Test(NamedTuple):
    """What a value must be; exactly one of the fields is set, beside ``optional``.

    ``only``: the value is an object that has no keys but these.
    """

    one_of: frozenset[str | bool] | None = None
    prefix: str | None = None
    pattern: tuple[Template, str] | None = None
    low: int | None = None
    high: int | None = None
    absent: bool = False
    only: frozenset[str] | None = None
    optional: bool = False

    def is_met(self, value: Any, *, query: bool = False) -> bool:
        """Whether a value (``ABSENT`` for none) is what it must be."""
        if value is ABSENT or value is None:
            return self.absent or self.optional
        if self.absent:
            return False
        if isinstance(value, list):
            return bool(value) and all(
                each is not None and not isinstance(each, list) and self.is_met(each) for each in value
            )
        if self.only is not None:
            return isinstance(value, dict) and not set(value) - self.only
        if self.low is not None or self.high is not None:
            return self._is_between(value)
        text = canonical(value, query=query)
        if self.one_of is not None:
            return text is not None and text in self.one_of
        if not isinstance(text, str):
            return False
        if self.prefix is not None:
            return text.startswith(self.prefix) and not _climbs(text)
        if self.pattern is not None:
            return not _climbs(text) and _fits(self.pattern[0], text, self.pattern[1])
        return False

    def _is_between(self, value: Any) -> bool:
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not _DECIMAL.match(text):
            return False
        return self._holds_number(Decimal(text))

    def _holds_number(self, number: Decimal) -> bool:
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)

    def may_be_met(self, value: Any) -> bool:
        """Whether some server could read a value as one that meets the test; for rules that deny."""
        if value is ABSENT or value is None:
            return self.absent or self.optional
        if self.absent:
            return False
        if isinstance(value, list):
            return any(isinstance(each, list) or self.may_be_met(each) for each in value)
        if not isinstance(value, str | int):
            return True  # an object where none belongs
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if self.low is not None or self.high is not None:
            number = _number(text)
            return number is None or self._holds_number(number)
        if self.one_of is not None:
            return _loose(text) in {_loose(str(each)) for each in self.one_of}
        if _climbs(text):
            return True
        if self.prefix is not None:
            # A folder's own name is denied with what is in it.
            start, end = _loose(self.prefix), "/" if self.prefix.endswith("/") else ""
            return not start or f"{_loose(text)}/".startswith(start + end)
        return self.pattern is not None and _fits(self.pattern[0], _loose(text), self.pattern[1], loose=True)


MAX_LOOSE = 4096


def _loose(text: str) -> str:
    """A text as the most careless reader takes it: without case, compatibility forms, white space and slashes around it; a
    number by its value."""
    number = _number(text)
    if number is not None:
        return str(number.normalize())
    plain = text[:MAX_LOOSE]
    if not plain.isascii():
        # In pieces: normalising a long run of combining marks takes time by the square of it.
        plain = "".join(unicodedata.normalize("NFKC", plain[at : at + 64]) for at in range(0, len(plain), 64))
    return plain.casefold().strip().strip("/")


def _number(text: str) -> Decimal | None:
    if len(text) > 64:
        return None
    try:
        number = Decimal(text.strip())
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _climbs(text: str) -> bool:
    """Whether a server could read a text as another path: dot or empty segments, backslashes, escapes."""
    if "\\" in text or "%" in text or any(char < " " for char in text):
        return True
    parts = text.split("/")
    return "." in parts or ".." in parts or "" in parts[1:-1]


def _fits(template: Template, text: str, separator: str, *, loose: bool = False) -> bool:
    """Whether a text's segments are those of a pattern; ``loose``: without case (the text is in small letters)."""
    parts = text.removeprefix("/").split(separator) if separator == "/" else text.split(separator)
    wanted = template.segments
    for index, segment in enumerate(wanted):
        if isinstance(segment, Rest):
            return len(parts) > index and all(parts[index:])
        if index >= len(parts) or not parts[index]:
            return False
        if isinstance(segment, Literal) and parts[index] != (_loose(segment.text) if loose else segment.text):
            return False
        if isinstance(segment, Variable) and segment.verb is not None:
            return False
    return len(parts) == len(wanted)


class Constraint(NamedTuple):
    """One parameter and its test. ``place``: ``path``, ``query`` or ``body``. ``keys``: its name, in a body also a way
    down into objects (through lists, of whose elements each must meet the test)."""

    name: str
    place: str
    keys: tuple[str, ...]
    test: Test
    text: str

    def is_met(self, parameters: Parameters) -> bool:
        """Whether a call's parameters meet it."""
        if self.place == "body":
            return _descend(parameters.body, self.keys, self.test)
        found = parameters.path if self.place == "path" else parameters.query
        return self.test.is_met(found.get(self.keys[0], ABSENT), query=self.place == "query")

    def may_be_met(self, parameters: Parameters) -> bool:
        """Whether some server could read a call's parameters as meeting it; for rules that deny."""
        value = look(parameters, self.place, self.keys)
        return value == UNREADABLE or self.test.may_be_met(value)


def _descend(value: Any, keys: tuple[str, ...], test: Test) -> bool:
    if isinstance(value, list) and keys:
        return bool(value) and all(_descend(each, keys, test) for each in value)
    if not keys:
        return test.is_met(value)
    if value is ABSENT or value is None:
        return test.is_met(ABSENT)
    if not isinstance(value, dict):
        return False
    return _descend(value.get(keys[0], ABSENT), keys[1:], test)
