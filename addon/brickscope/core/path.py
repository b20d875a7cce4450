"""The readings of a request target: the closed set of what servers could make of its bytes, or a refusal.

A path is split at its slashes and each segment decoded once. What a segment then holds may be structure to some server all
the same. Nobody can know which servers stand behind a host, so each behaviour of the table below that the bytes give room
for is a reading of its own, and so are their combinations; the rules have to allow all of them (``decide.py``). The
bytes that are sent are those that came.

=============================  ==================================================================================
in the path                    readings
=============================  ==================================================================================
``%2F``                        data | split there
``%3F``, ``%23``               data | cut there, the rest is the query
``;``, ``%3B``                 data | parameters, dropped up to the end of their segment | cut there
``%25XX``, ``%25uXXXX``        data | decoded a second time
an encoded letter, digit or    the character it stands for | no part of a literal or verb, which are compared as
one of ``- . _ ~ $ :``         they are sent (databricks-sdk settings.py knows such a server)
blanks at a segment's ends,    as they are | trimmed and normalised (NFKC)
compatibility forms
=============================  ==================================================================================

What no reading may have, refused: an empty or dot segment (also after trimming and any Unicode normalisation), a control
character, a backslash, a third encoding, bytes that are no UTF-8. RFC 3986 sections 2.4, 3.3, 6.2.2.
"""

import itertools
import math
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .decision import Refused
from .hostname import is_app
from .normal import compatible, disguise
from .reason import Reason

_new = tuple.__new__
"""Makes a named tuple at a fifth of what its own name costs."""

MAX_TARGET = 16 * 1024
"""Longest request target in bytes. Databricks' own limit is lower; the longest documented calls stay under 8 KiB."""
MAX_READINGS = 16
"""Most readings of one target. A call with more is refused, never judged by a part of them."""
MAX_COMBINATIONS = 64
"""Most combinations of behaviours that are looked at for them; several may give one reading."""

# RFC 3986 section 3.3, pchar without `;` and escapes.
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~!$&'()*+,=:@./"
# Also raw brackets, which databricks-sdk's HTTP library (requests) leaves as they are.
_PATH = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?{}\[\]|\"<>^`]|%[0-9A-Fa-f]{2})*")
_HASH = ord("#")  # of bytes, a code is looked for at a fifth of what other bytes cost
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Reading(NamedTuple):
    """One meaning of a target.

    ``segments``: of the path, decoded, without the one trailing slash's empty one. ``route``: the same as literals and
    verbs of the API are compared. ``query``: as sent, without the question mark; None where there is none. ``how``: which
    behaviours of a server it takes, in words; empty for the one that a plain server has.
    """

    segments: tuple[str, ...]
    route: tuple[str, ...]
    query: str | None
    how: str = ""


APP = "\uf8ff"
"""What stands before the host in the readings of a call to an app. Nothing that is sent can be read as it."""


def on_host(readings: tuple[Reading, ...], host: str) -> tuple[Reading, ...]:
    """The readings of a call to a host. What an app's paths mean its makers say, so they are none of the API's: of such a
    call the host is part of what is matched, behind APP."""
    if not is_app(host):
        return readings
    return tuple(
        [
            each._replace(segments=(APP, host, *each.segments), route=(APP, host, *each.route))
            for each in readings
        ]
    )


def read_target(raw: bytes) -> tuple[Reading, ...]:
    """All readings of the bytes of a request target (``/path?query``), the plain one first.

    Raises Refused: TOO_LARGE, TARGET_NOT_ORIGIN_FORM, PATH_NOT_CANONICAL or QUERY_NOT_CANONICAL.
    """
    if len(raw) > MAX_TARGET:
        raise Refused(Reason.TOO_LARGE, f"the request target has {len(raw)} bytes, more than {MAX_TARGET}")
    if raw[:1] != b"/":
        raise Refused(Reason.TARGET_NOT_ORIGIN_FORM, "the request target does not start with '/'")
    path, mark, query = raw.partition(b"?")
    if _HASH in raw:
        # RFC 9112 section 3.2: a target has no fragment; servers that cut it and servers that keep it disagree.
        if _HASH in path:
            raise _refused("the path has a fragment ('#')")
        raise Refused(Reason.QUERY_NOT_CANONICAL, "the query has a fragment ('#')")
    if mark and not _QUERY.fullmatch(query):
        raise Refused(
            Reason.QUERY_NOT_CANONICAL,
            "the query has broken percent-encoding"
            if _BAD_ESCAPE.search(query)
            else "the query has invalid bytes",
        )
    asked = query.decode("ascii") if mark else None
    text = path.decode("latin-1")
    if not path.translate(None, _PLAIN) and "//" not in text:
        segments = _split(text)
        return (_new(Reading, (segments, segments, asked, "")),)
    if path[:2] == b"//":
        raise _refused(
            "the path begins with an empty segment ('//'), as from a host configured with a trailing slash"
        )
    if not _PATH.fullmatch(path):
        raise _refused(
            "the path has a backslash"
            if b"\\" in path
            else "the path has broken percent-encoding"
            if _BAD_ESCAPE.search(path)
            else "the path has bytes that a path never carries unencoded"
        )
    return _readings(text, asked)


def _split(path: str) -> tuple[str, ...]:
    """The segments of a path without escapes."""
    parts = path[1:].split("/")
    if not parts[-1]:
        parts.pop()
    if "/." in path and ("." in parts or ".." in parts):
        raise _refused("the path has a dot segment")
    return tuple(parts)


def _refused(detail: str) -> Refused:
    return Refused(Reason.PATH_NOT_CANONICAL, detail)


# -- characters that came as escapes -----------------------------------------------------------------------------------
# Between decoding and judging they stand as private characters (which are refused in what comes), one block for each level
# of encoding, so that a split, a cut or a comparison can tell them from what was sent plainly.

_BLOCK = {1: 0xE000, 2: 0xE100}
_FIRST, _LAST = "\ue000", "\ue17f"
_MARK = re.compile(f"[{_FIRST}-{_LAST}]")
_PRIVATE = re.compile("[\ud800-\uf8ff]")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_AGAIN = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%[uU]([0-9A-Fa-f]{4})")


def _mark(char: str, level: int) -> str:
    return chr(_BLOCK[level] + ord(char))


def _marked(decoded: str, level: int) -> str:
    if _PRIVATE.search(decoded):
        raise _refused("the path has private-use characters or surrogates")
    return "".join([_mark(char, level) if char.isascii() else char for char in decoded])


def _plain(text: str) -> str:
    """A text with marks as the data that they stand for."""
    return _MARK.sub(lambda found: chr(ord(found[0]) & 0x7F), text) if _MARK.search(text) else text


def _as_sent(text: str) -> str:
    """A text with marks as escapes, so that no literal is equal to it."""
    return _MARK.sub(lambda found: f"%{ord(found[0]) & 0x7F:02X}", text)


def _decode(text: str) -> str:
    """The escapes of a path as marks and, beyond ASCII, as characters."""

    def one(found: re.Match[str]) -> str:
        try:
            decoded = unquote_to_bytes(found[0]).decode("utf-8")
        except UnicodeDecodeError:
            # Overlong forms and stray bytes: what one server rejects another reads as '/' or '.'.
            raise _refused("the path's percent-encoding is not UTF-8") from None
        return _marked(decoded, 1)

    return _ESCAPES.sub(one, text)


def _decode_again(text: str) -> str | None:
    """A decoded path as a server has it that decodes twice; None where there is nothing left to decode."""
    plain = _plain(text)
    if not _AGAIN.search(plain):
        return None
    # An escape may be written with encoded digits, so it is looked for where all marks are data, and read off from there.
    pieces: list[str] = []
    at = 0
    for found in _AGAIN.finditer(plain):
        pieces.append(text[at : found.start()])
        at = found.end()
        decoded = chr(int(found[1], 16)) if found[1] else _decode_loosely(unquote_to_bytes(found[0]))
        pieces.append(_marked(decoded, 2))
    again = "".join(pieces) + text[at:]
    if _AGAIN.search(_plain(again)):
        raise _refused("the path is percent-encoded three times")
    return again


def _decode_loosely(raw: bytes) -> str:
    """Bytes behind a second encoding. That they need not be UTF-8 (``50%25ab.csv`` is the name ``50%ab.csv``) lets no
    overlong form through, which a careless decoder reads as ASCII (RFC 3629 section 3)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if re.search(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]", raw):
            raise _refused("the path has an overlong form, encoded twice") from None
        return raw.decode("utf-8", "replace")


# -- behaviours --------------------------------------------------------------------------------------------------------

_SPLITS = {_mark("/", level): "/" for level in _BLOCK}
_CUTS = {_mark(char, level): char for char in "?#" for level in _BLOCK}
_PARAMETERS = {";": ";"} | {_mark(";", level): ";" for level in _BLOCK}
_BLANKS = (
    "(?<=[^/])[" + "".join(_mark(" ", level) for level in _BLOCK) + "]+"
)  # before a cut: no part of a name
_LITERAL = re.compile(
    "[" + "".join(f"{chr(base + low)}-{chr(base + high)}" for base in _BLOCK.values() for low, high in (
        (0x24, 0x24), (0x2D, 0x2E), (0x30, 0x3A), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A), (0x7E, 0x7E)
    )) + "]"
)  # fmt: skip
"""Encoded characters of which literals and verbs of the API are made."""


def _readings(path: str, query: str | None) -> tuple[Reading, ...]:
    """All readings of a path that has escapes or parameters, each once, the plain one first."""
    once = _decode(path)
    twice = _decode_again(once)
    found: dict[tuple[tuple[str, ...], tuple[str, ...], str | None], Reading] = {}
    for text, how in ((once, ""), (twice, "decoded twice")):
        for behaviours in () if text is None else _combinations(text):
            for reading in _read(text or "", query, behaviours, how):
                found.setdefault(reading[:3], reading)
                if len(found) > MAX_READINGS:
                    raise _too_many()
    return tuple(found.values())


def _combinations(text: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Every choice of one behaviour for each kind of mark in a text: pairs of mark and ``cut``, ``split`` or ``dropped``
    (data where it is none of them)."""
    options = [
        [(mark, each) for each in behaviours]
        for marks, behaviours in (
            (_CUTS, ("data", "cut")),
            (_SPLITS, ("data", "split")),
            (_PARAMETERS, ("data", "dropped", "dropped first", "cut")),
        )
        for mark in marks
        if mark in text
    ]
    if math.prod(map(len, options)) > MAX_COMBINATIONS:
        raise _too_many()
    return itertools.product(*options)


def _read(
    text: str, query: str | None, behaviours: tuple[tuple[str, str], ...], how: str
) -> Iterator[Reading]:
    """The readings of a text with marks under one choice of behaviours.

    Raises Refused where one has an empty or dot segment or a control character.
    """
    for mark, behaviour in behaviours:
        if behaviour == "dropped first" and mark in text:  # some servers do so before they decode and split
            text = _drop(text, mark)
            how = _join(how, "parameters dropped")
    for mark, behaviour in behaviours:
        if mark not in text:
            continue
        if behaviour == "split":
            text = text.replace(mark, "/")
            how = _join(how, "split at '/'")
        elif behaviour == "dropped":
            text = _drop(text, mark)
            how = _join(how, "parameters dropped")
        elif behaviour == "cut" and mark in _CUTS:
            text, _, rest = text.partition(mark)
            text = re.sub(rf"{_BLANKS}\Z", "", text)
            query = _plain(rest) if query is None else f"{_plain(rest)}&{query}"
            how = _join(how, f"cut at '{_CUTS[mark]}'")
        elif behaviour == "cut":
            text = re.sub(rf"{_BLANKS}\Z", "", text.partition(mark)[0])
            how = _join(how, "cut at ';'")
    parts = text[1:].split("/")
    if not parts[-1] and len(parts) > 1:
        parts.pop()
    if parts == [""]:
        parts = []
    segments = tuple([_plain(part) for part in parts])
    for part in segments:
        if odd := "a backslash" if "\\" in part else disguise(part):
            raise _refused(f"the path has {odd}, or a reading with one" if how else f"the path has {odd}")
    yield Reading(segments, segments, query, how)
    if _LITERAL.search(text):
        route = tuple([_as_sent(part) for part in parts])
        yield Reading(segments, route, query, _join(how, "literals as sent"))
    trimmed = tuple([compatible(part).strip() for part in segments])
    if trimmed != segments:
        yield Reading(trimmed, trimmed, query, _join(how, "trimmed and normalised"))


def _drop(text: str, mark: str) -> str:
    return re.sub(f"(?:{_BLANKS})?{re.escape(mark)}[^/]*", "", text)


def _too_many() -> Refused:
    return _refused(f"the path has more than {MAX_READINGS} readings")


def _join(words: str, more: str) -> str:
    return f"{words}, {more}" if words else more
