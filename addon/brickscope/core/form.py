"""The form of a token request (RFC 6749 section 3.2), read strictly: each field once, and in one reading."""

import re
from urllib.parse import unquote_to_bytes

from .credential import refuse_placeholder
from .decision import Refused
from .reason import Reason
from .request import ApiRequest

MAX_FORM = 64 * 1024
"""Longest token request in bytes; one with two tokens in it has some 10,000."""

_TYPE = re.compile(r'application/x-www-form-urlencoded(?: *; *charset="?utf-8"?)?\Z', re.IGNORECASE)
_PLAIN = re.compile(rb"(?:[A-Za-z0-9\-._~!$'()*,:@/+=&]|%[0-9A-Fa-f]{2})*\Z")


def read_form(request: ApiRequest, body: bytes) -> dict[str, str]:
    """The fields of a token request by name. Raises Refused(MALFORMED_FORM or TOO_LARGE); no detail quotes a value."""
    if not _TYPE.match(request.content_type):
        raise _malformed("its content type is not application/x-www-form-urlencoded")
    if request.content_encoding:
        raise _malformed("it is compressed")
    if request.query is not None:
        raise _malformed("the token endpoint takes no query")
    if len(body) > MAX_FORM:
        raise Refused(Reason.TOO_LARGE, f"the token request has more than {MAX_FORM} bytes")
    refuse_placeholder(unquote_to_bytes(body), "the form")
    if not _PLAIN.match(body):
        # `;` separates fields to some readers; spaces and control characters end them to others.
        raise _malformed("it has bytes that a form never carries unencoded")
    fields: dict[str, str] = {}
    for pair in body.split(b"&"):
        raw_name, equals, raw_value = pair.partition(b"=")
        if not equals or b"=" in raw_value.rstrip(b"="):
            raise _malformed("a field is not written NAME=VALUE")
        name, value = _decode(raw_name), _decode(raw_value)
        if name in fields or name.lower() != name or not name.isidentifier():
            raise _malformed("a field appears twice, or has an invalid name")
        fields[name] = value
    return fields


def _decode(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a field is not UTF-8") from None
    if any(char < " " or char == "\x7f" for char in text):
        raise _malformed("a field has control characters")
    return text


def _malformed(why: str) -> Refused:
    return Refused(Reason.MALFORMED_FORM, f"the token request is not a plain form: {why}")
