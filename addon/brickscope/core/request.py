"""A request: from what will be sent to an ``ApiRequest``, or a refusal with its reason.

Refused, in every mode, is what leaves unknown to whom the bytes go, where the message ends, or whose credential it is. What
merely has no regular reading is a *flaw*: no rule can allow it, but who asks is known, and ``monitor`` can let it go on.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from .credential import find_query_flaw, refuse_placeholder
from .decision import Refused
from .fields import read_fields
from .hostname import is_hostname
from .normal import fold
from .path import Reading, on_host, read_target
from .placeholder import PREFIX
from .query import Pair, read_loosely, read_query
from .reason import Reason
from .rule import METHODS, WEBSOCKET
from .websocket import Offer


class WireRequest(NamedTuple):
    """The bytes that will be sent, and the tunnel they came through.

    ``target``: the request target (HTTP/1.1) or ``:path`` (HTTP/2). ``authority``: ``:authority`` (HTTP/2), or the
    authority of an absolute-form target (HTTP/1.1; empty otherwise). ``http_version``: ``HTTP/1.1`` or ``HTTP/2.0``.
    ``tunnel_host``, ``tunnel_port``: what CONNECT named. ``server_name``: from the TLS ClientHello, None without.
    ``alpn``: what TLS negotiated with the client. ``ended``: whether the request is over with its headers.
    """

    method: bytes
    target: bytes
    authority: bytes
    http_version: bytes
    headers: Sequence[tuple[bytes, bytes]]
    tunnel_host: str
    tunnel_port: int
    server_name: str | None
    alpn: bytes | None
    ended: bool = False


class ApiRequest(NamedTuple):
    """A request that is known to be whole, and whose and where it goes; and all its readings.

    ``path`` and ``query`` as sent; ``readings`` of both, the plain one first. ``flaw``: why no rule can allow it; then there
    may be no readings. ``host`` lower-case; ``authorization`` the raw value (a secret: never log it); ``content_length``
    None where the header is missing. ``workspace``: which one the call chooses on a host of several, by header or ``?o=``;
    None where it chooses none. ``has_body``: whether one was announced. ``may_have_body``: whether one can come (HTTP/2 need
    not announce it). ``management``: Azure's second token (a secret like ``authorization``), ``azure_resource``: which
    workspace it is for, as the header has it. ``offer``: the websocket that it asks for; ``method`` is then WEBSOCKET.
    ``repeated``: method and name of a call to a tool server, by its headers.
    """

    method: str
    host: str
    path: str
    readings: tuple[Reading, ...]
    query: str | None
    authorization: bytes | None
    content_type: str
    content_length: int | None
    user_agent: str
    workspace: str | None = None
    has_body: bool = False
    content_encoding: str = ""
    may_have_body: bool = False
    flaw: Refused | None = None
    management: bytes | None = None
    azure_resource: str | None = None
    offer: Offer | None = None
    repeated: tuple[bytes | None, bytes | None] = (None, None)

    @property
    def segments(self) -> tuple[str, ...]:
        """Of the plain reading; empty where there is none."""
        return self.readings[0].segments if self.readings else ()


_new = tuple.__new__  # as in path.py; test_request.py counts the fields
_METHODS = {name.encode(): name for name in METHODS}
_BLANK = re.compile(rb"[\x00-\x20\x7f]")
_SELECTORS = {"o": "o", "workspaceid": "workspace_id"}
"""The parameters of a query that choose a workspace, by their folds."""


_PREFIX = PREFIX.decode()
_FLAWS = frozenset({Reason.PATH_NOT_CANONICAL, Reason.QUERY_NOT_CANONICAL})


def read_request(wire: WireRequest) -> ApiRequest:
    """Read one request inside a tunnel to a host under policy.

    Raises Refused with the reason: TOO_LARGE, TARGET_NOT_ORIGIN_FORM, HTTP_VERSION, METHOD_NOT_CANONICAL, HOST_MISMATCH,
    HEADER_MALFORMED, HEADER_DUPLICATE, HEADER_FORBIDDEN (framing), MULTIPLE_CREDENTIALS, UPGRADE_REFUSED,
    PLACEHOLDER_MISPLACED, TOKEN_IN_SUBPROTOCOL, TRAILERS_REFUSED. Never raises anything else, whatever the bytes.
    """
    http2 = wire.http_version == b"HTTP/2.0"
    if http2 is not (wire.alpn == b"h2") or not (http2 or wire.http_version == b"HTTP/1.1"):
        raise Refused(
            Reason.HTTP_VERSION, "the request's HTTP version is not the one negotiated for the connection"
        )
    method = _METHODS.get(wire.method)
    if method is None:
        raise Refused(
            Reason.METHOD_NOT_CANONICAL, f"the method {_show(wire.method)} is none of {', '.join(METHODS)}"
        )
    if wire.authority and not http2:
        raise Refused(Reason.TARGET_NOT_ORIGIN_FORM, "the request target is a full URL, inside a tunnel")
    fields, authorization, length, management = read_fields(wire.headers, http2=http2)
    if fields.offer is not None:
        if method != "GET" or length is not None:
            raise Refused(Reason.UPGRADE_REFUSED, "a request for a websocket must be a GET without a body")
        method = WEBSOCKET
    host = _read_host(wire, fields.host, http2)
    flaw = None if fields.flaw is None else Refused(*fields.flaw)
    text = wire.target.decode("latin-1")
    path, mark, asked = text.partition("?")
    try:
        readings = on_host(read_target(wire.target), host)
        query = readings[0].query
        pairs = _pairs(path, readings) if query or len(readings) > 1 else []
    except Refused as refused:
        if refused.reason not in _FLAWS or _BLANK.search(wire.target):
            # Blanks: HTTP/1.1 can't carry them; a host that turns HTTP/2 into it would read another message.
            raise
        flaw, readings = refused, ()
        query, pairs = asked if mark else None, read_loosely(text)
    chosen = fields.workspaces
    if _PREFIX in text:
        refuse_placeholder(wire.target, "the path or query")
    if pairs:
        flaw = find_query_flaw(pairs) or flaw
        in_query, odd = _read_workspaces(pairs, query or "")
        chosen, flaw = chosen | in_query, flaw or odd
    if len(chosen) > 1:
        raise Refused(Reason.HEADER_DUPLICATE, "the request selects two different workspaces")
    announced = fields.chunked if length is None else length > 0
    return _new(
        ApiRequest,
        (
            method,
            host,
            path,
            readings,
            query,
            authorization,
            fields.content_type,
            length,
            fields.user_agent,
            next(iter(chosen)) if chosen else None,
            announced,
            fields.content_encoding,
            not wire.ended and (announced or (http2 and length is None)),
            flaw,
            management,
            fields.azure_resource,
            fields.offer,
            fields.repeated,
        ),
    )


def _pairs(path: str, readings: tuple[Reading, ...]) -> list[Pair]:
    """The parameters of all readings, with those of the path (``;jsessionid=``). Raises Refused(QUERY_NOT_CANONICAL)."""
    query = readings[0].query
    found = read_query(query) if query else []
    if len(readings) > 1:
        found += read_loosely(path)
    for reading in readings[1:]:
        if reading.query is not None and reading.query != query:
            found += [pair._replace(plain=False) for pair in read_query(reading.query)]
    return found


def _read_host(wire: WireRequest, header: str | None, http2: bool) -> str:
    """The one host that tunnel, TLS server name and Host (or ``:authority``) all name."""
    host = wire.tunnel_host
    if not is_hostname(host):
        raise Refused(Reason.HOST_MISMATCH, "the tunnel's target is not a plain lower-case host name")
    if wire.server_name is None or wire.server_name.lower() != host:
        raise Refused(Reason.HOST_MISMATCH, "the TLS server name is not the host the tunnel was opened to")
    # RFC 9110 section 4.2.3: host names compare without case; the default port may be written out.
    named = not http2 or wire.authority.lower().removesuffix(b":443") == host.encode()
    if header is None and not http2:
        raise Refused(Reason.HOST_MISMATCH, "the request has no Host header")
    if not named or (header is not None and header != host):
        raise Refused(Reason.HOST_MISMATCH, "the Host header is not the host the tunnel was opened to")
    return host


def _read_workspaces(pairs: list[Pair], query: str) -> tuple[set[str], Refused | None]:
    """The workspaces that a query chooses, and the flaw where a parameter could be taken for one that does."""
    chosen: set[str] = set()
    sent = query.split("&")
    flaw: Refused | None = None
    for pair in pairs:
        # `%256F=`, `O=` or `o[]=` may be the same parameter to the server.
        plain = _SELECTORS.get(fold(pair.name)) or _SELECTORS.get(fold(pair.name.partition("[")[0]))
        if plain is None:
            continue
        chosen.add(pair.value)
        # A router may look for the bytes `o=111`, and not see a number that is encoded.
        if not pair.plain or pair.name != plain or f"{plain}={pair.value}" not in sent:
            flaw = Refused(Reason.QUERY_NOT_CANONICAL, f"a parameter could select the workspace ({plain!r})")
    return chosen, flaw


def _show(raw: bytes) -> str:
    return ascii(raw[:24].decode("latin-1"))
