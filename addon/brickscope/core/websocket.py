"""The request for a websocket (RFC 6455 section 4.1): its one regular form, or a refusal.

Nobody judges what passes in a websocket. So asking for one is a *method* of its own, ``WEBSOCKET``, which no rule by path
can name: it is the GET that asks to leave HTTP, and a rule for the GET does not allow it. A server may answer it as that
GET; a deny of the GET therefore denies it as well (``decide.py``).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from .credential import MIN_TOKEN, holds_token
from .decision import Refused
from .header import CREDENTIAL_WORDS, words_of
from .reason import Reason

MAX_PROTOCOLS = 8
"""Most subprotocols that one request offers."""
MAX_NAME = 48
"""Most characters of one's name."""

_PROTOCOL = b"sec-websocket-protocol"
_EXTENSIONS = b"sec-websocket-extensions"
_FIXED = ((b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"sec-websocket-version", b"13"))
# 16 bytes in base64, the unused bits zero, so that a key has one spelling.
_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Offer(NamedTuple):
    """What the client asks for, to which the answer has to fit. ``key``: of Sec-WebSocket-Key. ``protocols``,
    ``extensions``: the names of those that the host may choose."""

    key: bytes
    protocols: frozenset[bytes]
    extensions: frozenset[bytes]


def read_offer(found: Mapping[bytes, bytes], *, http2: bool) -> Offer:
    """Read the headers of a request that has any of ``header.UPGRADE``. ``found``: values by names in lower case.

    Raises Refused: UPGRADE_REFUSED for all but a plain handshake, and TOKEN_IN_SUBPROTOCOL.
    """
    protocols = _read_protocols(found.get(_PROTOCOL))
    if http2:
        raise _refused("a websocket is requested over HTTP/2")
    for name, value in _FIXED:
        if found.get(name, b"").lower() != value:
            raise _refused(f"the header {name.decode().title()} does not say {value.decode()!r}")
    key = found.get(b"sec-websocket-key", b"")
    if not _KEY.fullmatch(key):
        raise _refused("the header Sec-Websocket-Key is not 16 bytes in base64")
    if not found.keys().isdisjoint((b"expect", b"transfer-encoding", b"te")):
        raise _refused("a request for a websocket has a body, or announces one")
    return Offer(key, protocols, frozenset(map(_extension, _elements(found.get(_EXTENSIONS)))))


def _read_protocols(value: bytes | None) -> frozenset[bytes]:
    names = _elements(value)
    if any(map(_may_be_credential, names)):
        raise Refused(
            Reason.TOKEN_IN_SUBPROTOCOL, "a value of the header Sec-WebSocket-Protocol may be a credential"
        )
    if len(names) > MAX_PROTOCOLS or len(set(names)) < len(names) or not all(map(_TOKEN.fullmatch, names)):
        raise _refused("the header Sec-WebSocket-Protocol is not a short list of names")
    return frozenset(names)


def _may_be_credential(name: bytes) -> bool:
    """Clients that can't set Authorization (browsers, Kubernetes') send a token as a subprotocol: it would be a second
    credential. A name is a few short words; whatever else stands there is taken for one."""
    words = words_of(name.lower())
    return (
        len(name) > MAX_NAME
        or max(map(len, words.split("-"))) >= MIN_TOKEN
        or holds_token(name.decode("latin-1"))
        or "authorization" in words
        or CREDENTIAL_WORDS.search(words) is not None
    )


def _elements(value: bytes | None) -> list[bytes]:
    return [] if value is None else [each.strip(b" \t") for each in value.split(b",")]


def _extension(element: bytes) -> bytes:
    name = element.partition(b";")[0].rstrip(b" \t").lower()
    if not _TOKEN.fullmatch(name):
        raise _refused("the header Sec-WebSocket-Extensions is not a list of names")
    return name


def _refused(detail: str) -> Refused:
    return Refused(Reason.UPGRADE_REFUSED, detail)
