"""A request: from what will be sent to an ``ApiRequest``, or a refusal with its reason.

Refused, in every mode, is what leaves unknown to whom the bytes go, where the message ends, or whose credential it is. What
merely has no regular reading is a *flaw*: no rule can allow it, but who asks is known, and ``monitor`` can let it go on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .credential import find_query_flaw
from .decision import Refused
from .header import read_headers
from .hostname import is_hostname
from .normal import fold
from .path import Reading, on_host, read_target
from .query import Pair, read_query
from .reason import Reason
from .rule import METHODS


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
    not announce it).
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

    @property
    def segments(self) -> tuple[str, ...]:
        """Of the plain reading; empty where there is none."""
        return self.readings[0].segments if self.readings else ()


_CONNECTION = frozenset({b"keep-alive", b"close"})
_METHODS = {name.encode(): name for name in METHODS}
_BLANK = re.compile(rb"[\x00-\x20\x7f]")
_WORKSPACE_ID = re.compile(rb"[0-9]{1,20}")
_SELECTOR_HEADERS = (b"x-databricks-workspace-id", b"x-databricks-org-id")
_SELECTORS = {"o": "o", "workspaceid": "workspace_id"}
"""The parameters of a query that choose a workspace, by their folds."""


_FLAWS = frozenset({Reason.PATH_NOT_CANONICAL, Reason.QUERY_NOT_CANONICAL})


def read_request(wire: WireRequest) -> ApiRequest:
    """Read one request inside a tunnel to a host under policy.

    Raises Refused with the reason: TOO_LARGE, TARGET_NOT_ORIGIN_FORM, HTTP_VERSION, METHOD_NOT_CANONICAL, HOST_MISMATCH,
    HEADER_MALFORMED, HEADER_DUPLICATE, HEADER_FORBIDDEN (framing), MULTIPLE_CREDENTIALS, UPGRADE_REFUSED,
    TRAILERS_REFUSED. Never raises anything else, whatever the bytes.
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
        raise Refused(Reason.TARGET_NOT_ORIGIN_FORM, "the request target is a whole URL, inside a tunnel")
    headers, flaw = read_headers(wire.headers)
    host = _read_host(wire, headers.get(b"host"), http2)
    flaw = _check_framing(headers, http2) or flaw
    try:
        path, readings = read_target(wire.target)
        readings = on_host(readings, host)
        query = readings[0].query
    except Refused as refused:
        if refused.reason not in _FLAWS or _BLANK.search(wire.target):
            # Blanks: HTTP/1.1 can't carry them; a host that turns HTTP/2 into it would read another message.
            raise
        flaw, readings = refused, ()
        path, mark, asked = wire.target.decode("latin-1").partition("?")
        query = asked if mark else None
    workspace = None
    if query or b"x-databricks-org-id" in headers or b"x-databricks-workspace-id" in headers:
        pairs = _pairs(query, readings)
        flaw = find_query_flaw(pairs) or flaw
        workspace, odd = _read_workspace(headers, pairs, query)
        flaw = flaw or odd
    length = headers.get(b"content-length")
    announced = length != b"0" if length is not None else b"transfer-encoding" in headers
    return ApiRequest(
        method,
        host,
        path,
        readings,
        query,
        headers.get(b"authorization"),
        headers.get(b"content-type", b"").decode("latin-1"),
        None if length is None else int(length),
        headers.get(b"user-agent", b"").decode("latin-1"),
        workspace,
        announced,
        headers.get(b"content-encoding", b"").decode("latin-1"),
        not wire.ended and (announced or (http2 and length is None)),
        flaw,
    )


def _pairs(query: str | None, readings: tuple[Reading, ...]) -> list[Pair]:
    """The parameters of all readings; none where there is no reading. Raises Refused(QUERY_NOT_CANONICAL)."""
    if not readings:
        return []
    found = read_query(query)
    for reading in readings[1:]:
        if reading.query is not None and reading.query != query:
            found += [pair._replace(plain=False) for pair in read_query(reading.query)]
    return found


def _read_host(wire: WireRequest, header: bytes | None, http2: bool) -> str:
    """The one host that tunnel, TLS server name and Host (or ``:authority``) all name."""
    host = wire.tunnel_host
    if not is_hostname(host):
        raise Refused(Reason.HOST_MISMATCH, "the tunnel's target is not a plain lower-case host name")
    if wire.server_name is None or wire.server_name.lower() != host:
        raise Refused(Reason.HOST_MISMATCH, "the TLS server name is not the host the tunnel was opened to")
    names = []
    if http2:
        names.append(wire.authority)
    if header is not None:
        names.append(header)
    if not names:
        raise Refused(Reason.HOST_MISMATCH, "the request has no Host header")
    # RFC 9110 section 4.2.3: host names compare without case; the default port may be written out.
    expected = host.encode()
    for name in names:
        lower = name.lower()
        if lower != expected and lower != expected + b":443":
            raise Refused(Reason.HOST_MISMATCH, "the Host header is not the host the tunnel was opened to")
    return host


def _check_framing(headers: dict[bytes, bytes], http2: bool) -> Refused | None:
    """Refuse what says how long the message is, or who handles its headers, in any but the plain way; the flaw otherwise."""
    connection = headers.get(b"connection")
    if connection is not None and (http2 or connection.lower() not in _CONNECTION):
        # `Connection: authorization` makes the next hop drop the very header that was judged.
        raise Refused(Reason.HEADER_FORBIDDEN, "the header Connection names more than keep-alive or close")
    transfer = headers.get(b"transfer-encoding")
    if transfer is not None and (http2 or transfer != b"chunked" or b"content-length" in headers):
        raise Refused(Reason.HEADER_FORBIDDEN, "the body's length is given in two ways (Transfer-Encoding)")
    length = headers.get(b"content-length")
    if length is not None and not (
        length.isdigit() and len(length) <= 18 and (length == b"0" or length[:1] != b"0")
    ):
        raise Refused(Reason.HEADER_MALFORMED, "the header Content-Length is no plain decimal number")
    expect = headers.get(b"expect")
    if expect is not None and (http2 or expect.lower() != b"100-continue"):
        raise Refused(Reason.HEADER_FORBIDDEN, "the header Expect says something other than 100-continue")
    te = headers.get(b"te")
    if te is not None and te.lower() != b"trailers":
        return Refused(Reason.HEADER_FORBIDDEN, "the header TE asks for a transfer coding")
    return None


def _read_workspace(
    headers: dict[bytes, bytes], pairs: list[Pair], query: str | None
) -> tuple[str | None, Refused | None]:
    """The workspace that a call chooses (header, legacy header, ``?o=``), and the flaw where a parameter could be taken for
    one that chooses. A request that names two is refused."""
    chosen: set[str] = set()
    sent = (query or "").split("&")
    flaw: Refused | None = None
    for name in _SELECTOR_HEADERS:
        value = headers.get(name)
        if value is not None:
            if not _WORKSPACE_ID.fullmatch(value):
                raise Refused(
                    Reason.HEADER_MALFORMED, f"the header {name.decode()} is not the number of a workspace"
                )
            chosen.add(value.decode())
    for pair in pairs:
        # `%256F=`, `O=` or `o[]=` may be the same parameter to the server.
        plain = _SELECTORS.get(fold(pair.name)) or _SELECTORS.get(fold(pair.name.partition("[")[0]))
        if plain is None:
            continue
        chosen.add(pair.value)
        # A router may look for the bytes `o=111`, and not see a number that is encoded.
        if not pair.plain or pair.name != plain or f"{plain}={pair.value}" not in sent:
            flaw = Refused(
                Reason.QUERY_NOT_CANONICAL, f"a parameter could be taken for the workspace ({plain!r})"
            )
    if len(chosen) > 1:
        raise Refused(Reason.HEADER_DUPLICATE, "the request names two different workspaces")
    return (chosen.pop() if chosen else None), flaw


def _show(raw: bytes) -> str:
    return ascii(raw[:24].decode("latin-1"))
