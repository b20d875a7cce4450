"""The query of a call: its parameters by the plain reading, and what other readers could find in it besides.

A plain reader splits at ``&`` and decodes once (WHATWG URL, application/x-www-form-urlencoded). Others split at ``;`` too
(HTML 4.01 appendix B.2.2), begin a query at a second ``?``, or decode twice: a value again, or all of it before they split.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from .decision import Refused
from .reason import Reason

_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|%[uU][0-9A-Fa-f]{4}")
_SPLIT = re.compile("[&;?#]")
MAX_PAIRS = 1000
"""Most parameters of one query; each is looked at in all its readings."""


class Alternatives(NamedTuple):
    """What one value in a query may be, by different readers of it; the plain one first. ``suspected``: further ones, which
    only a rule that denies heeds, since many a value holds an escaped separator."""

    forms: tuple[str, ...]
    suspected: tuple[str, ...] = ()


class Pair(NamedTuple):
    """A parameter. ``plain``: whether the plain reader finds it; otherwise only some other does."""

    name: str
    value: str
    plain: bool = True


def read_query(query: str | None) -> list[Pair]:
    """All parameters that any reader finds, the plain ones first. Raises Refused(QUERY_NOT_CANONICAL)."""
    if not query:
        return []
    if query.count("&") + query.count(";") > MAX_PAIRS:
        raise Refused(Reason.QUERY_NOT_CANONICAL, f"the query has more than {MAX_PAIRS} parameters")
    found: list[Pair] = []
    further: list[Pair] = []
    for piece in query.split("&"):
        name, _, value = piece.partition("=")
        plain = Pair(_decode(name), _decode(value))
        found.append(plain)
        if ";" in piece or "?" in piece:
            further += [
                Pair(_decode(pair.name), _decode(pair.value), False) for pair in _others(piece, plain)
            ]
        if _ESCAPE.search(plain.name):
            further.append(Pair(_again(plain.name), plain.value, False))
    return found + further


def read_hidden(query: str) -> list[Pair]:
    """The parameters that only a reader finds which decodes a query before it splits it, once or twice."""
    found: list[Pair] = []
    for piece in query.split("&"):
        if "%" in piece:
            decoded, plain = _decode(piece), Pair(_decode(piece.partition("=")[0]), "")
            found += _others(decoded, plain)
            if _ESCAPE.search(decoded):
                found += _others(_again(decoded), plain)
    return found


def read_loosely(target: str) -> list[Pair]:
    """What any reader could take for a parameter in a whole target or path, regular or not: decoded as far as it goes."""
    pieces = [piece.partition("=") for piece in _SPLIT.split(_again(_again(target)))]
    return [Pair(name, value, False) for name, _, value in pieces]


def _others(piece: str, plain: Pair) -> list[Pair]:
    """The parameters in one piece of a query for readers that split it further. ``plain``: the one that it is to others."""
    parts = [other.partition("=") for other in _SPLIT.split(piece)]
    pairs = [Pair(name, value, False) for name, _, value in parts]
    return [*(pair for pair in pairs[:1] if _decode(pair.name) != plain.name), *pairs[1:]]


def alternatives(query: str, name: str) -> list[str | Alternatives]:
    """The values of a parameter that plain readers find, each with what others read in its place."""
    found: list[str | Alternatives] = []
    for piece in query.split("&"):
        own, _, value = piece.partition("=")
        if _decode(own) != name:
            continue
        plain = _decode(value)
        forms = {plain: None}
        if ";" in value or "?" in value:
            forms |= {_decode(_SPLIT.split(value)[0]): None, _decode(value.partition(";")[0]): None}
        if _ESCAPE.search(plain):
            forms[_again(plain)] = None
        cut = {_SPLIT.split(form)[0].rstrip(): None for form in forms if _SPLIT.search(form)}
        suspected = tuple(form for form in cut if form not in forms)
        found.append(Alternatives(tuple(forms), suspected) if suspected or len(forms) > 1 else plain)
    return found


def _decode(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(Reason.QUERY_NOT_CANONICAL, "the query's percent-encoding is not UTF-8") from None


def _again(text: str) -> str:
    """A decoded text, decoded once more, as UTF-8 or as the code units of IIS."""
    plain = re.sub(r"%[uU]([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), text)
    return unquote(plain)
