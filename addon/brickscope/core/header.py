"""What each request header may do: few names that are read, and a description of those that must not stand there.

Most headers are none of our business and pass untouched. What decides on framing or routing may stand there once. A name
that says that it carries a credential, or that it overrides method, path, host or the client's identity, is refused by its
*words*, since no list of brands is ever complete; excused are the names that clients are known to send. Whatever its
name, a header other than Authorization whose value has the shape of a token is a second credential.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from .credential import holds_token
from .decision import Refused
from .reason import Reason

MAX_HEADERS = 200
MAX_HEADER_BYTES = 64 * 1024
"""Most headers, and most bytes in all names and values. HTTP/2 stacks stop at 64 KiB as well."""

USUAL_HEADERS, USUAL_NAME_BYTES = 40, 1024
"""Requests with at most so many headers, and bytes in their names, are recognised by these names the next time."""

Fields = Iterable[tuple[bytes, bytes]]
"""Header names and values as they will be sent, in order."""


class Role(Enum):
    """What a header is to the proxy, by its name."""

    PASS = "pass"  # noqa: S105 - no password
    READ = "read"
    CREDENTIAL = "credential"
    AUTHORIZATION = "authorization"
    OVERRIDE = "override"
    DOUBLE = "double"
    """Could be taken for one that says where the request goes or ends."""
    UPGRADE = "upgrade"
    TRAILER = "trailer"
    MALFORMED = "malformed"


READ = (
    b"host",
    b"authorization",
    b"connection",
    b"te",
    b"expect",
    b"transfer-encoding",
    b"content-type",
    b"user-agent",
    # Framing: twice would let two parsers choose differently.
    b"content-length",
    b"content-encoding",
    b"content-range",
    b"range",
    b"accept-encoding",
    # Which workspace a call on a unified host goes to (databricks/cli libs/auth/headers.go).
    b"x-databricks-workspace-id",
    b"x-databricks-org-id",
    # Which cluster or session a Spark Connect call goes to (databricks-connect).
    b"x-databricks-cluster-id",
    b"x-databricks-session-id",
)
"""Each may stand there once."""

CREDENTIAL_WORDS = re.compile(
    r"authentication|token|credential|secret|(?:api|access|subscription)-?key|cookie|session|passw|jwt|assertion|csrf|xsrf"
    r"|bearer|oauth|saml|(?:^|-)auth(?:-|$)"
)
"""What the name of a header that carries a credential has in it, whatever else."""
OVERRIDE_WORDS = re.compile(
    # the method, the path, the host
    r"(?:[a-z]*method|verb|[a-z]*override|[a-z]*rewrite|original|[a-z]*ur[il]|[a-z]*path|destination|redirect|[a-z]*host"
    r"|[a-z]*forwarded|middleware|envoy"
    # who the client or user is, as far as a front end believes it; where the application is mounted; our own
    r"|user(?:id)?|principal|identity|impersonat[a-z]*|behalf|self|ip|[a-z]*clientip|addr|cert|script|brickscope)"
)
"""Words of names by which a server behind another lets itself be told what was asked and by whom."""
HOP_BY_HOP = frozenset({"proxy-connection", "http2-settings", "content-transfer-encoding"})
"""Of another hop (RFC 9110 section 7.6.1, RFC 2045 section 6): their effect depends on who drops them."""

EXCUSED = frozenset(
    {
        # tests/core/test_client_headers.py has who sends what
        "x-databricks-last-seen-server-session-version",  # Databricks Connect
        "mcp-session-id",  # Model Context Protocol, Streamable HTTP
        "x-stainless-helper-method",  # the OpenAI and Anthropic clients
        "sec-fetch-user",  # browsers (W3C Fetch Metadata)
        "access-control-request-method",  # browsers, before a cross-origin call (WHATWG Fetch)
    }
)
"""Names that have such a word and are sent by clients that are known to work. A value is never excused."""

_SETTING = {
    "x-api-key": "the Anthropic client sends Authorization with auth_token or ANTHROPIC_AUTH_TOKEN",
    "x-goog-api-key": "the Google client sends Authorization by http_options(headers={'Authorization': 'Bearer ...'})",
    "api-key": "the OpenAI client sends Authorization with api_key, its Azure form with azure_ad_token",
}
"""What to set in clients that can send their key in either header."""

_ONCE = frozenset({"host", "content-length", "transfer-encoding"})
_UPGRADE = frozenset({"upgrade", "sec-websocket-key", "sec-websocket-version"})
# RFC 9110 section 5.6.2
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_WORD = re.compile(r"[^a-z0-9]+")
_READ = frozenset(READ)
# What these may say is checked (request.py), or is the credential itself.
_FIXED = frozenset(
    {b"authorization", b"host", b"connection", b"te", b"expect", b"transfer-encoding", b"content-length"}
)


@lru_cache(maxsize=2048)
def classify(name: bytes) -> tuple[bytes, Role]:
    """The lower-case form of a header name and its role."""
    lower = name.lower()
    if lower in _READ:
        return lower, Role.READ
    if not _NAME.match(name):
        return lower, Role.MALFORMED
    plain = _plain(lower)
    if plain in _ONCE:
        return lower, Role.DOUBLE
    if plain in _UPGRADE:
        return lower, Role.UPGRADE
    if plain == "trailer":
        return lower, Role.TRAILER
    if "authorization" in plain.replace("-", ""):
        return lower, Role.AUTHORIZATION
    if lower.decode("ascii") in EXCUSED:
        return lower, Role.PASS
    if CREDENTIAL_WORDS.search(plain):
        return lower, Role.CREDENTIAL
    is_override = (
        plain in HOP_BY_HOP or plain.encode() in _READ or any(map(OVERRIDE_WORDS.fullmatch, plain.split("-")))
    )
    return lower, Role.OVERRIDE if is_override else Role.PASS


def _plain(lower: bytes) -> str:
    """The words of a name: CGI, WSGI and nginx can make `X_Forwarded_Host` and `X-Forwarded-Host` one variable."""
    return "-".join(_WORD.split(lower.decode("ascii"))).strip("-")


def read_headers(fields: Fields) -> tuple[dict[bytes, bytes], Refused | None]:
    """Judge all headers: the values of those in READ, by lower-case name, and the flaw: why no rule can allow the request,
    though it is known whose it is and where it goes; None where there is nothing.

    Raises Refused: TOO_LARGE, HEADER_MALFORMED, HEADER_DUPLICATE, MULTIPLE_CREDENTIALS, UPGRADE_REFUSED or
    TRAILERS_REFUSED. The detail names the header, never its value.
    """
    fields = tuple(fields)
    values = [value for _, value in fields]
    joined = b" ".join(values)
    if len(joined.translate(None, _CONTROLS)) != len(joined):
        for name, value in fields:
            if _CONTROL.search(value):
                # Also folded lines (obs-fold), which mitmproxy passes on as they are and servers read in two ways.
                raise Refused(Reason.HEADER_MALFORMED, f"the value of {_show(name)} has control characters")
    names = tuple([name for name, _ in fields])
    count, name_bytes = len(names), len(b"".join(names))
    # What a client makes up must not fill the memory: only layouts of the usual size are remembered.
    is_usual = count <= USUAL_HEADERS and name_bytes <= USUAL_NAME_BYTES
    layout, open_to_all, flaw = (_layout if is_usual else _read_layout)(names)
    size = name_bytes + len(joined) - max(count - 1, 0)
    if count > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise Refused(
            Reason.TOO_LARGE,
            f"the request has {count} headers with {size} bytes, more than {MAX_HEADERS} or {MAX_HEADER_BYTES}",
        )
    found = {lower: values[place] for lower, place in layout}
    if holds_token(b" ".join([values[place] for place in open_to_all]).decode("latin-1")):
        for place in open_to_all:
            if holds_token(values[place].decode("latin-1")):
                raise Refused(
                    Reason.MULTIPLE_CREDENTIALS,
                    f"the value of the header {_show(names[place])} looks like a token",
                )
    return found, None if flaw is None else Refused(*flaw)


_Layout = tuple[tuple[tuple[bytes, int], ...], tuple[int, ...], tuple[Reason, str] | None]


def _read_layout(names: tuple[bytes, ...]) -> _Layout:
    """Judge the names of a request's headers: for those that are read their lower-case form and where they stand; where
    those stand that may have any value, a token too; and the first flaw.

    A client sends the same names in the same order for most of its calls, so the answer is remembered (``_layout``); a
    refusal is not. Raises Refused.
    """
    found: dict[bytes, int] = {}
    open_to_all: list[int] = []
    flaw: tuple[Reason, str] | None = None
    for place, name in enumerate(names):
        # Long names must not fill the cache.
        lower, role = (classify if len(name) <= 64 else classify.__wrapped__)(name)
        if lower not in _FIXED:
            open_to_all.append(place)
        if role is Role.PASS:
            continue
        if role is not Role.READ:
            this = _flaw(lower, role)  # also after another one: it may raise
            flaw = flaw or this
            continue
        if lower in found:
            if lower == b"authorization":
                raise Refused(Reason.MULTIPLE_CREDENTIALS, "there are two Authorization headers")
            raise Refused(Reason.HEADER_DUPLICATE, f"the header {_show(lower)} stands there twice")
        found[lower] = place
    return tuple(found.items()), tuple(open_to_all), flaw


_layout = lru_cache(maxsize=512)(_read_layout)


def _flaw(lower: bytes, role: Role) -> tuple[Reason, str]:
    """What is wrong with a header of this name. Raises Refused where it leaves open whose the call is or where it ends."""
    shown = _show(lower)
    match role:
        case Role.AUTHORIZATION:
            raise Refused(Reason.MULTIPLE_CREDENTIALS, f"the header {shown} is a second credential")
        case Role.UPGRADE:
            raise Refused(Reason.UPGRADE_REFUSED, f"the header {shown} asks for another protocol")
        case Role.TRAILER:
            raise Refused(Reason.TRAILERS_REFUSED, "the header Trailer announces headers after the body")
        case Role.DOUBLE:
            raise Refused(Reason.HEADER_FORBIDDEN, f"the header {shown} could be taken for {_plain(lower)!r}")
        case Role.MALFORMED:
            raise Refused(Reason.HEADER_MALFORMED, f"{shown} is no header name")
        case Role.CREDENTIAL:
            advice = _SETTING.get(lower.decode("latin-1"))
            more = f"; {advice}" if advice else ""
            return Reason.MULTIPLE_CREDENTIALS, f"the header {shown} is a second credential{more}"
        case _:
            return Reason.HEADER_FORBIDDEN, f"the header {shown} could change what was judged"


def _show(name: bytes) -> str:
    """A header name fit for a message: printable, clipped."""
    return ascii(name[:48].decode("latin-1"))
