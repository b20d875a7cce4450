"""A body in one reading, for rules that look into it: JSON, or a multipart form; plain, or packed by gzip.

Databricks reads JSON whatever the Content-Type says, and on GET too, so the type is no matter here unless it says that
the body is a form; what counts is that no two parsers could take two things from the same bytes (RFC 8259, RFC 7493
I-JSON). What is judged is the content; what is sent is the body as it came.

What reading costs is bounded before it begins: so many bytes, also unpacked, and so many values.
"""

import json
import re
import zlib
from typing import Any, NoReturn

from .credential import refuse_placeholder
from .decision import Refused
from .multipart import is_multipart, read_multipart
from .reason import Reason
from .request import ApiRequest

MAX_BODY = 16 * 1024 * 1024
"""Longest body that is read, in bytes, also after unpacking; how much is held back for it, the proxy's options say."""
MAX_DEPTH = 32
"""How deep objects and lists may be nested; the deepest documented request has nine levels."""
MAX_STRUCTURE = 100_000
"""Most braces, brackets, commas and colons outside texts: a body of 16 MiB that holds a file has a handful, and one of
numbers alone would keep everybody waiting for a second."""
MAX_ESCAPES = 1_000_000
"""Most backslashes of a body whose texts are told apart: with more it would take too long."""

_CHARSET = re.compile(r"charset(\*?)\s*=\s*(\"?)([^\";\s]*)\2", re.IGNORECASE)
_STRUCTURE = b"{[,:"
_MARK = b"\xef\xbb\xbf"
"""A byte order mark in UTF-8. RFC 8259 lets readers skip one; those that don't can't read the body at all."""


class Number(str):
    """A JSON number that is no plain integer, as it was written (``1.5``, ``1e3``)."""

    __slots__ = ()


def read_body(request: ApiRequest, body: bytes) -> dict[str, Any]:
    """The JSON object of a body, or the fields of a form; empty for no body. Numbers that are no plain integers come as
    ``Number``.

    Raises Refused as ``read_json`` does.
    """
    found = read_json(request, body)
    if not isinstance(found, dict):
        raise Refused(Reason.BODY_NOT_JSON, "the body is JSON, but not an object")
    return found


def read_json(request: ApiRequest, body: bytes) -> Any:
    """The JSON of a body, of any kind, or the fields of a form; an empty object for no body.

    Raises Refused: TOO_LARGE, TOO_COMPLEX, BODY_ENCODED, BODY_NOT_JSON, BODY_DUPLICATE_KEY, BODY_TOO_DEEP or
    PLACEHOLDER_MISPLACED. No detail quotes the body.
    """
    body = unpacked(request, body)
    if not body:
        return {}
    refuse_placeholder(body, "the body")
    if is_multipart(request.content_type):
        return read_multipart(request.content_type, body)
    if any(
        star or name.lower() not in ("utf-8", "utf8")
        for star, _, name in _CHARSET.findall(request.content_type)
    ):
        raise Refused(Reason.BODY_NOT_JSON, "the body's character set is not UTF-8")
    structure = _structure(body)
    if structure > MAX_STRUCTURE and (
        body.count(b"\\") > MAX_ESCAPES or _structure(_without_texts(body)) > MAX_STRUCTURE
    ):
        raise Refused(
            Reason.TOO_COMPLEX, f"the body has more than {MAX_STRUCTURE} braces, brackets, commas and colons"
        )
    try:
        found = _DECODER.decode(body.removeprefix(_MARK).decode("utf-8"))
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise Refused(Reason.BODY_NOT_JSON, "the body is not strict JSON in UTF-8") from None
    if structure > MAX_DEPTH and isinstance(found, dict | list):  # most bodies have less
        _check_depth(found)
    return found


def _structure(body: bytes) -> int:
    return len(body) - len(body.translate(None, _STRUCTURE))


def _without_texts(body: bytes) -> bytes:
    """JSON without what stands in quotes, of as many texts as it may have: SQL and prompts have commas of their own."""
    parts = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"', 2 * MAX_STRUCTURE)
    return b" ".join(parts[::2])


def unpacked(request: ApiRequest, body: bytes) -> bytes:
    """The content of a body that is plain, or one whole member of gzip and nothing else. Raises Refused."""
    if len(body) > MAX_BODY:
        raise _too_large()
    encoding = request.content_encoding.lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Refused(
            Reason.BODY_ENCODED,
            "the body is compressed by something other than gzip, so no rule can check it",
        )
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = reader.decompress(body, MAX_BODY + 1)
    except zlib.error:
        raise Refused(Reason.BODY_ENCODED, "the body is not valid gzip") from None
    if len(content) > MAX_BODY:
        raise _too_large()
    if not reader.eof or reader.unused_data:
        # Of two members some readers take the first only.
        raise Refused(Reason.BODY_ENCODED, "the body is not a single complete gzip member")
    return content


def _too_large() -> Refused:
    return Refused(Reason.TOO_LARGE, f"the body has more than {MAX_BODY} bytes")


def _check_depth(found: Any) -> None:
    """Level by level, so that no body costs more than its size."""
    level, depth = [found], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if type(inner) in (dict, list)
        ]


def _too_deep() -> Refused:
    return Refused(Reason.BODY_TOO_DEEP, f"the body is nested deeper than {MAX_DEPTH} levels")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused(Reason.BODY_DUPLICATE_KEY, "an object of the body has the same key twice")
    return found


def _integer(text: str) -> int | Number:
    # -0 is 0 to some and a float to others; beyond 64 bits parsers round or wrap.
    return Number(text) if text == "-0" or len(text.lstrip("-")) > 19 else int(text)


def _constant(text: str) -> NoReturn:
    raise ValueError(text)  # NaN and Infinity are no JSON


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=Number, parse_int=_integer, parse_constant=_constant
)
