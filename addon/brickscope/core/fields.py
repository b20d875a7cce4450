"""What the headers of a request say. Whatever its name, one with a value of the shape of a token is a second credential.

A client sends the same headers with most of its calls, so what they say is remembered, by all their bytes: a function of
nothing else can't answer otherwise. Authorization, Azure's second token and Content-Length are read anew each time, so that
no credential is kept. Neither is what is refused, has a flaw or is larger than usual: what a client makes up must not
fill the memory.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from .credential import holds_token, refuse_placeholder, second_credential
from .decision import Refused
from .header import MANAGEMENT, UPGRADE, Layout, read_layout, show
from .reason import Reason
from .websocket import Offer, read_offer

MAX_HEADERS = 200
MAX_HEADER_BYTES = 64 * 1024
"""Most headers, and most bytes in all names and values. HTTP/2 stacks stop at 64 KiB as well."""
USUAL_HEADERS, USUAL_BYTES = 40, 4 * 1024
"""Requests with at most so many headers, and bytes in them, are remembered."""

_CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"
_CONNECTION = frozenset({b"keep-alive", b"close"})
_WORKSPACE_ID = re.compile(rb"[0-9]{1,20}")
_TOOL_METHOD = re.compile(rb"initialize|ping|[A-Za-z_]+(?:/[A-Za-z_]+)+")
_SELECTORS = (b"x-databricks-workspace-id", b"x-databricks-org-id")
# What these may say is checked to the letter, or has a reason of its own.
_FIXED = frozenset({b"host", b"connection", b"expect", b"transfer-encoding", *UPGRADE[:4]})


class Fields(NamedTuple):
    """What the headers of a request say, beside Authorization, Content-Length and Azure's second token.

    ``host``: of Host, lower-case and without the default port, None where it is missing. ``workspaces``: those that headers
    choose. ``azure_resource``: the workspace that Azure's second token is for. ``chunked``: whether the body comes in
    chunks. ``flaw``: why no rule can allow the request, though it is known
    whose it is and where it goes. ``offer``: the websocket that is asked for, None where none is.
    """

    host: str | None
    content_type: str
    content_encoding: str
    user_agent: str
    workspaces: frozenset[str]
    azure_resource: str | None
    chunked: bool
    flaw: tuple[Reason, str] | None
    offer: Offer | None
    repeated: tuple[bytes | None, bytes | None]


def read_fields(
    headers: Sequence[tuple[bytes, bytes]], *, http2: bool
) -> tuple[Fields, bytes | None, int | None, bytes | None]:
    """Judge all headers, as they will be sent. Gives what they say, and the values of Authorization, Content-Length and
    Azure's second token.

    Raises Refused: TOO_LARGE, HEADER_MALFORMED, HEADER_DUPLICATE, HEADER_FORBIDDEN (framing), MULTIPLE_CREDENTIALS,
    PLACEHOLDER_MISPLACED, UPGRADE_REFUSED, TOKEN_IN_SUBPROTOCOL or TRAILERS_REFUSED. The detail names the header, never its
    value.
    """
    names, sent = zip(*headers, strict=True) if headers else ((), ())
    values = list(sent)
    count, size = len(names), len(b"".join(names)) + len(b"".join(values))
    if count > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise Refused(
            Reason.TOO_LARGE,
            f"the request has {count} headers with {size} bytes, more than {MAX_HEADERS} or {MAX_HEADER_BYTES}",
        )
    is_usual = count <= USUAL_HEADERS and size <= USUAL_BYTES
    layout = _usual_layout(names) if is_usual else read_layout(names)
    authorization = length = management = None
    if layout.authorization is not None:
        authorization, values[layout.authorization] = values[layout.authorization], b""
        _check_controls(b"Authorization", authorization)
    if layout.content_length is not None:
        length, values[layout.content_length] = _read_length(values[layout.content_length]), b""
    if layout.management is not None:
        management, values[layout.management] = values[layout.management], b""
        _check_controls(MANAGEMENT, management)
        refuse_placeholder(management, f"the header {show(MANAGEMENT)}")
    # Each request for a websocket has a key of its own.
    read = _usual_values if is_usual and layout.flaw is None and not layout.asks else _read_values
    fields = read(layout, tuple(values), http2)
    if fields.chunked and length is not None:
        raise _two_lengths()
    return fields, authorization, length, management


def _read_values(layout: Layout, values: tuple[bytes, ...], http2: bool) -> Fields:
    """What headers say; the values of Authorization and Content-Length are left out. Raises Refused."""
    _refuse_odd_values(layout, values)
    found = {name: values[place] for name, place in layout.read}
    offer = read_offer(found, http2=http2) if layout.asks else None
    flaw, chunked = (None, False) if offer is not None else _read_framing(found, http2)
    host, resource = found.get(b"host"), found.get(b"x-databricks-azure-workspace-resource-id")
    return Fields(
        None if host is None else host.lower().removesuffix(b":443").decode("latin-1"),
        found.get(b"content-type", b"").decode("latin-1"),
        found.get(b"content-encoding", b"").decode("latin-1"),
        found.get(b"user-agent", b"").decode("latin-1"),
        frozenset([_workspace_id(name, found[name]) for name in _SELECTORS if name in found]),
        None if resource is None else resource.decode("latin-1"),
        chunked,
        flaw or layout.flaw or _read_override(found),
        offer,
        (found.get(b"mcp-method"), found.get(b"mcp-name")),
    )


_usual_layout = lru_cache(maxsize=512)(read_layout)
_usual_values = lru_cache(maxsize=512)(_read_values)


def _refuse_odd_values(layout: Layout, values: tuple[bytes, ...]) -> None:
    joined = b" ".join(values)
    if len(joined.translate(None, _CONTROLS)) != len(joined):
        for name, value in zip(layout.names, values, strict=True):
            _check_controls(name, value)
    if holds_token(joined.decode("latin-1")):
        fixed = {place for name, place in layout.read if name in _FIXED}
        for place, value in enumerate(values):
            if place not in fixed and holds_token(value.decode("latin-1")):
                where = f"the value of the header {show(layout.names[place])}"
                raise second_credential(value.decode("latin-1"), where)


def _check_controls(name: bytes, value: bytes) -> None:
    if len(value.translate(None, _CONTROLS)) != len(value):
        # Also folded lines (obs-fold), which mitmproxy passes on as they are and servers read in two ways.
        raise Refused(Reason.HEADER_MALFORMED, f"the value of {show(name)} has control characters")


def _read_length(value: bytes) -> int:
    if value.isdigit() and len(value) <= 18 and (value == b"0" or value[:1] != b"0"):
        return int(value)
    raise Refused(Reason.HEADER_MALFORMED, "the header Content-Length is not a plain decimal number")


def _two_lengths() -> Refused:
    return Refused(Reason.HEADER_FORBIDDEN, "the body's length is given twice (Transfer-Encoding)")


def _read_framing(found: dict[bytes, bytes], http2: bool) -> tuple[tuple[Reason, str] | None, bool]:
    """The flaw, and whether the body comes in chunks. Refused is what says how long the message is, or who handles its
    headers, in any but the plain way."""
    connection = found.get(b"connection")
    if connection is not None and (http2 or connection.lower() not in _CONNECTION):
        # `Connection: authorization` makes the next hop drop the very header that was judged.
        raise Refused(
            Reason.HEADER_FORBIDDEN, "the header Connection has options other than keep-alive and close"
        )
    transfer = found.get(b"transfer-encoding")
    if transfer is not None and (http2 or transfer != b"chunked"):
        raise _two_lengths()
    expect = found.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise Refused(Reason.HEADER_FORBIDDEN, "the header Expect is not 100-continue")
    te = found.get(b"te")
    flaw = te is not None and te.lower() != b"trailers"
    return (
        (Reason.HEADER_FORBIDDEN, "the header TE requests a transfer coding") if flaw else None
    ), transfer is not None


def _read_override(found: dict[bytes, bytes]) -> tuple[Reason, str] | None:
    """The flaw of a call to a tool server whose method is no regular one (MCP: ``tools/call``): some framework could take
    it for the method of HTTP."""
    if _TOOL_METHOD.fullmatch(found.get(b"mcp-method", b"ping")):
        return None
    return Reason.HEADER_FORBIDDEN, "the header 'mcp-method' could override the method"


def _workspace_id(name: bytes, value: bytes) -> str:
    if not _WORKSPACE_ID.fullmatch(value):
        raise Refused(Reason.HEADER_MALFORMED, f"the header {name.decode()} is not a workspace id")
    return value.decode()
