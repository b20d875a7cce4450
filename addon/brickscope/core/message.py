"""JSON-RPC 2.0 in the body of a POST, as tool servers take it (MCP, Streamable HTTP): which calls one body holds.

Each request in it is a call of its own operation, with ``params`` for its body; so are a notification and the client's
response to a request of the server. A body may be a list of them (a batch; MCP 2025-03-26). The envelope is a closed
grammar: what a server could read in two ways, or does not know, is refused, never skipped.
"""

import re
from base64 import b64decode
from collections.abc import Collection
from typing import Any, NamedTuple

from .body import Number, read_json
from .decision import Refused
from .normal import fold
from .reason import Reason
from .request import ApiRequest

MAX_BATCH = 50
"""Most messages in one body; clients send one, or a handful."""
MAX_ID, MAX_ID_TEXT = 2**53, 256
"""Beyond it readers of JSON round numbers (RFC 8259 section 6); and characters of an id that is text."""
RESPONSE = ""
"""What stands for the method of a response, which has none."""

_TYPE = re.compile(r"application/json(?: *; *charset=\"?utf-8\"?)?\Z", re.IGNORECASE)
_METHOD = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./$-]{0,126}[A-Za-z0-9_])?\Z")
_ENCODED = re.compile(rb"=\?base64\?([A-Za-z0-9+/]*=*)\?=")
_NAMES = ("name", "uri", "taskId")  # what the header Mcp-Name repeats
_REQUEST = frozenset({"jsonrpc", "id", "method", "params"})
_RESULT = frozenset({"jsonrpc", "id", "result"})
_ERROR = frozenset({"jsonrpc", "id", "error"})


class Message(NamedTuple):
    """One message. ``method``: RESPONSE for a response. ``id``: None for a notification, which nobody answers."""

    method: str
    id: int | str | None
    params: dict[str, Any]

    @property
    def is_answered(self) -> bool:
        """Whether whoever gets it has to answer."""
        return self.method != RESPONSE and self.id is not None


class Batch(tuple[Message, ...]):
    """The messages of a body that is a list of them, be it of one: the answer is a list then, too."""

    __slots__ = ()


def read_messages(request: ApiRequest, body: bytes, known: Collection[str]) -> tuple[Message, ...]:
    """The messages of a body, in their order; a Batch where it is a list. ``known``: the methods that the catalogue has.

    Raises Refused(MESSAGE_MALFORMED), or as ``read_json`` does. No detail quotes the body.
    """
    if not _TYPE.match(request.content_type):
        # Some servers take a form or text for JSON, and read it by rules of its own.
        raise _malformed("its Content-Type is not application/json")
    found = read_json(request, body)
    elements = found if isinstance(found, list) else [found]
    if not elements:
        raise _malformed("it is an empty batch")
    if len(elements) > MAX_BATCH:
        raise Refused(Reason.TOO_COMPLEX, f"the body has more than {MAX_BATCH} JSON-RPC messages")
    folds = {fold(method): method for method in known if method}
    messages = (Batch if isinstance(found, list) else tuple)([_message(each, folds) for each in elements])
    ids = [str(each.id) for each in messages if each.is_answered]
    if len(set(ids)) < len(ids):
        raise _malformed("two of its requests have the same id")
    for each in messages:
        names = {name for name in map(each.params.get, _NAMES) if isinstance(name, str)} or {""}
        for said, repeated in zip(({each.method}, names), request.repeated, strict=True):
            if repeated is not None and said != {_plain(repeated)}:
                raise _malformed("the header Mcp-Method or Mcp-Name says something else")
    return messages


def _plain(header: bytes) -> str | None:
    """What a header repeats; None where that is not regular."""
    found = _ENCODED.fullmatch(header)
    try:
        return (b64decode(found[1], validate=True) if found else header).decode("utf-8" if found else "ascii")
    except ValueError:
        return None


def _message(found: Any, folds: dict[str, str]) -> Message:
    version = found.get("jsonrpc") if isinstance(found, dict) else None
    if not isinstance(found, dict) or version != "2.0" or isinstance(version, Number):
        raise _malformed("it is not one JSON-RPC 2.0 message, or a list of them")
    number = found.get("id")
    if "id" in found and not _is_id(number):
        # JSON-RPC allows null and fractions, which servers take for no id, or for another one. MCP does not.
        raise _malformed("an id is neither a short text nor an integer")
    if found.keys() == _RESULT or found.keys() == _ERROR:
        return Message(RESPONSE, number, {})
    method, params = found.get("method"), found.get("params", {})
    if not _REQUEST.issuperset(found):
        raise _malformed("a message has a field that JSON-RPC does not know")
    if not isinstance(method, str) or not _METHOD.match(method):
        raise _malformed("a message has no method in the usual form")
    if folds.get(fold(method), method) != method:
        raise _malformed("a method could be mistaken for another one")
    if not isinstance(params, dict):
        raise _malformed("the params of a message are not an object")
    return Message(method, number, params)


def _is_id(value: Any) -> bool:
    """Whether all readers take it for the same id, also in our answer."""
    if type(value) is int:
        return abs(value) < MAX_ID
    return type(value) is str and len(value) <= MAX_ID_TEXT and (value.isprintable() or not value)


def _malformed(why: str) -> Refused:
    return Refused(Reason.MESSAGE_MALFORMED, f"the body is not regular JSON-RPC: {why}")
