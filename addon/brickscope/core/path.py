"""The one reading of a request target: canonical, or refused.

Nothing is repaired. A target that two servers could read in two ways (RFC 3986 section 6.2.2 normalises what this
module refuses) is denied, because what Databricks' front end, its application and this proxy each make of it cannot
be known to be the same. Legitimate clients never need any of it (shared facts: requests, urllib3, curl, Go, Node).
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from .decision import Refused
from .reason import Reason

MAX_TARGET = 16 * 1024
"""Longest request target in bytes. Databricks' own limit is lower; the longest documented calls stay under 8 KiB."""

_PLAIN = re.compile(rb"/(?:[A-Za-z0-9\-_~!$&'()*+,=:@.]+/)*[A-Za-z0-9\-_~!$&'()*+,=:@.]*")
_QUERY = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?{}\[\]|\"<>^`]|%[0-9A-Fa-f]{2})*")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_DOUBLE = re.compile(rb"%25[0-9A-Fa-f]{2}")
_RAW_ALLOWED = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,=:@/%]*")

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Encoded, these become structure for any server or middle box that decodes before it splits (/ \ ; ? #).
_SEPARATORS = frozenset(b"/\\;?#")


MAX_NAME = 128
"""Names are folded by so many characters: normalising a long run of combining marks takes time by the square of it."""


def fold(text: str) -> str:
    """What a careless server could take a name for: without case, compatibility forms, and all but letters and digits."""
    text = text[:MAX_NAME]
    # The dotless i is an i to whoever compares by capital letters.
    wide = not text.isascii()
    text = unicodedata.normalize("NFKC", text.replace("\u0131", "i")).casefold() if wide else text.lower()
    return text if text.isalnum() else "".join(filter(str.isalnum, text))


class Target(NamedTuple):
    """A canonical target. ``path`` is as sent; ``segments`` are decoded, without the one trailing slash's empty one.

    ``query`` is as sent, without the question mark; None where there was no question mark.
    """

    path: str
    segments: tuple[str, ...]
    query: str | None


def read_target(raw: bytes) -> Target:
    """Read the bytes of a request target (``/path?query``).

    Raises Refused: TOO_LARGE, TARGET_NOT_ORIGIN_FORM, PATH_NOT_CANONICAL or QUERY_NOT_CANONICAL.
    """
    if len(raw) > MAX_TARGET:
        raise Refused(Reason.TOO_LARGE, f"the request target has {len(raw)} bytes, more than {MAX_TARGET}")
    if raw[:1] != b"/":
        raise Refused(Reason.TARGET_NOT_ORIGIN_FORM, "the request target does not start with '/'")
    if _PLAIN.fullmatch(raw):
        text = raw.decode("ascii")
        return Target(text, _read_plain(text), None)
    path, mark, query = raw.partition(b"?")
    if b"#" in raw:
        # RFC 9112 section 3.2: a target has no fragment; servers that cut it and servers that keep it disagree.
        if b"#" in path:
            raise Refused(Reason.PATH_NOT_CANONICAL, "the path has a fragment ('#')")
        raise Refused(Reason.QUERY_NOT_CANONICAL, "the query has a fragment ('#')")
    segments = _read_plain(path.decode("ascii")) if _PLAIN.fullmatch(path) else _read_encoded(path)
    if mark and not _QUERY.fullmatch(query):
        raise Refused(
            Reason.QUERY_NOT_CANONICAL,
            "the query has broken percent-encoding"
            if _BAD_ESCAPE.search(query)
            else "the query has odd bytes",
        )
    return Target(path.decode("ascii"), segments, query.decode("ascii") if mark else None)


def _read_plain(path: str) -> tuple[str, ...]:
    """Segments of a path without percent-encoding; the pattern has excluded empty segments and odd bytes."""
    parts = path[1:].split("/")
    if not parts[-1]:
        parts.pop()
    if "." in parts or ".." in parts:
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path has a dot segment")
    return tuple(parts)


def _read_encoded(path: bytes) -> tuple[str, ...]:
    if b"\\" in path or b";" in path:
        # `\` is a separator to some servers, `;` starts path parameters that others drop before they route.
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path has a backslash or a semicolon")
    if not _RAW_ALLOWED.fullmatch(path):
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path has bytes that a path never carries unencoded")
    if _BAD_ESCAPE.search(path):
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path has broken percent-encoding")
    if _DOUBLE.search(path):
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path is percent-encoded twice")
    parts = path[1:].split(b"/")
    if not parts[-1]:
        parts.pop()
    if b"" in parts:
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path has an empty segment ('//')")
    return tuple(_decode(part) for part in parts)


def _decode(part: bytes) -> str:
    for escape in _ESCAPE.finditer(part):
        byte = int(escape[1], 16)
        if byte in _UNRESERVED:
            raise Refused(Reason.PATH_NOT_CANONICAL, "the path encodes a character that needs no encoding")
        if byte in _SEPARATORS:
            raise Refused(Reason.PATH_NOT_CANONICAL, "the path has an encoded separator")
        if byte < 0x20 or byte == 0x7F:
            raise Refused(Reason.PATH_NOT_CANONICAL, "the path has an encoded control character")
    try:
        text = _ESCAPE.sub(lambda escape: bytes((int(escape[1], 16),)), part).decode("utf-8", "strict")
    except UnicodeDecodeError:
        # Overlong forms and stray bytes: what one server rejects another reads as '/' or '.'.
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path's percent-encoding is not UTF-8") from None
    if text in (".", ".."):
        raise Refused(Reason.PATH_NOT_CANONICAL, "the path has a dot segment")
    for char in text:
        if "\x80" <= char <= "\x9f" or char in _LOOKALIKES:
            raise Refused(
                Reason.PATH_NOT_CANONICAL, "the path has a character that others read as another one"
            )
    return text


# Unicode that best-fit mapping or compatibility normalisation turns into structure: fullwidth and small forms of
# / \ . ? # ; %, fraction and division slash, one and two dot leaders, line and paragraph separator, byte order mark.
_LOOKALIKES = frozenset(
    "\uff0f\uff3c\uff0e\uff1f\uff03\uff1b\uff05\ufe52\ufe54\ufe56\ufe5f\ufe68\ufe6a"
    "\u2044\u2215\u2024\u2025\u2028\u2029\ufeff\u29f8\u29f9"
)
