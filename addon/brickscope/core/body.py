"""A JSON body in one reading, for rules that look into it.

Databricks reads JSON whatever the Content-Type says, and on GET too, so the type is no matter here; what counts is that
no two parsers could take two things from the same bytes (RFC 8259, RFC 7493 I-JSON).
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from .decision import Refused
from .reason import Reason
from .request import ApiRequest

MAX_BODY = 64 * 1024 * 1024
"""Longest body that is ever read, in bytes; how much is held back for it, the proxy's options say."""
MAX_DEPTH = 32
"""How deep objects and lists may be nested; the deepest documented request has nine levels."""

_CHARSET = re.compile(r"charset(\*?)\s*=\s*(\"?)([^\";\s]*)\2", re.IGNORECASE)


class Number(str):
    """A JSON number that is no plain integer, as it was written (``1.5``, ``1e3``)."""

    __slots__ = ()


def read_body(request: ApiRequest, body: bytes) -> dict[str, Any]:
    """The JSON object of a body; empty for no body. Numbers that are no plain integers come as ``Number``.

    Raises Refused: TOO_LARGE, BODY_ENCODED, BODY_NOT_JSON, BODY_DUPLICATE_KEY or BODY_TOO_DEEP. No detail quotes the body.
    """
    if request.content_encoding and request.content_encoding.lower() != "identity":
        raise Refused(Reason.BODY_ENCODED, "the body is compressed, so no rule can look into it")
    if len(body) > MAX_BODY:
        raise Refused(Reason.TOO_LARGE, f"the body has more than {MAX_BODY} bytes")
    if not body:
        return {}
    if any(
        star or name.lower() not in ("utf-8", "utf8")
        for star, _, name in _CHARSET.findall(request.content_type)
    ):
        raise Refused(Reason.BODY_NOT_JSON, "the body's character set is not UTF-8")
    try:
        # utf-8, not utf-8-sig: a byte order mark is skipped by some parsers and an error to others.
        text = body.decode("utf-8")
        found = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise Refused(Reason.BODY_NOT_JSON, "the body is not strict JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise Refused(Reason.BODY_NOT_JSON, "the body is JSON, but no object")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:  # most bodies have fewer
        _check_depth(found)
    return found


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
            if isinstance(inner, dict | list)
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
