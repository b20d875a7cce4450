"""What each request header may do: the table that a reviewer can check, and the reading that applies it.

Most headers are none of our business and pass untouched. The exceptions are headers that decide on identity, framing
or routing: those may stand there once (``SINGLE``), never (``FORBIDDEN``, ``CREDENTIAL``), or are read (``READ``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from .decision import Refused
from .reason import Reason

MAX_HEADERS = 200
MAX_HEADER_BYTES = 64 * 1024
"""Most headers, and most bytes in all names and values. HTTP/2 stacks stop at 64 KiB as well."""

USUAL_HEADERS, USUAL_NAME_BYTES = 40, 1024
"""Requests with at most so many headers, and bytes in their names, are recognised by these names the next time."""

Fields = Iterable[tuple[bytes, bytes]]
"""Header names and values as they will be sent, in order."""


class Rule(Enum):
    """What the table says about one header name."""

    PASS = "pass"  # noqa: S105 - no password
    SINGLE = "single"
    READ = "read"
    CREDENTIAL = "credential"
    FORBIDDEN = "forbidden"
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
)
"""Read and judged by ``request.py``; each may stand there once."""

SINGLE = (
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
"""Decide on framing or routing: twice would let two parsers choose differently."""

CREDENTIAL = (
    b"cookie",
    b"cookie2",
    b"proxy-authorization",
    b"authentication",
    b"x-authorization",
    b"x-auth-token",
    b"x-access-token",
    b"x-api-key",
    b"api-key",
    b"x-csrf-token",
    b"x-xsrf-token",
    # Second bearers and identities that Databricks itself knows (databricks-sdk azure.py, credentials_provider.py;
    # databricks-connect; Databricks Apps).
    b"x-databricks-azure-sp-management-token",
    b"x-databricks-gcp-sa-access-token",
    b"x-databricks-user-token",
    b"x-databricks-non-uc-user-token",
    b"x-databricks-self",
    b"x-databricks-token",
    b"x-databricks-api-token",
    b"x-amz-security-token",
    b"x-ms-authorization-auxiliary",
    b"x-goog-iam-authorization-token",
    b"x-serverless-authorization",
    b"x-remote-user",
    b"remote-user",
    b"x-user",
)
"""Second credentials. The policy judges one identity, so a second one would act unjudged."""

FORBIDDEN = (
    # Method override (honoured by many frameworks): the method that was judged would not be the one that runs.
    b"x-http-method-override",
    b"x-http-method",
    b"x-method-override",
    b"x-method",
    # Path and host overrides (IIS, Symfony, Envoy and other reverse proxies).
    b"x-original-url",
    b"x-original-uri",
    b"x-original-host",
    b"x-original-path",
    b"x-original-method",
    b"x-rewrite-url",
    b"x-override-url",
    b"x-accel-redirect",
    b"x-host",
    b"x-http-host-override",
    b"x-http-destinationurl",
    b"x-http-path-translated",
    b"x-proxy-url",
    b"request-uri",
    b"destination",
    b"base-url",
    # Who the client is, as far as a front end believes it.
    b"forwarded",
    b"x-real-ip",
    b"x-client-ip",
    b"x-client-cert",
    b"x-true-client-ip",
    b"true-client-ip",
    b"client-ip",
    b"cluster-client-ip",
    b"x-cluster-client-ip",
    b"x-originating-ip",
    b"x-remote-ip",
    b"x-remote-addr",
    b"x-ssl-client-cert",
    b"ssl-client-cert",
    b"x-azure-clientip",
    b"cf-connecting-ip",
    b"fastly-client-ip",
    # Hop-by-hop fields of another hop (RFC 9110 section 7.6.1): their effect depends on who drops them.
    b"proxy-connection",
    b"http2-settings",
    b"content-transfer-encoding",
    # Pseudo headers spelt as headers.
    b":method",
    b":path",
    b":authority",
    b":scheme",
    b":protocol",
)
FORBIDDEN_PREFIXES = (
    b"x-forwarded-",
    b"x-envoy-",
    b"x-brickscope-",
    b"x-original-forwarded-",
    b"x-middleware-",
)
"""Change the method, path, host or client identity behind the proxy's back."""

_TABLE: dict[bytes, Rule] = (
    dict.fromkeys(READ, Rule.READ)
    | dict.fromkeys(SINGLE, Rule.SINGLE)
    | dict.fromkeys(CREDENTIAL, Rule.CREDENTIAL)
    | dict.fromkeys(FORBIDDEN, Rule.FORBIDDEN)
    | {
        b"upgrade": Rule.UPGRADE,
        b"sec-websocket-key": Rule.UPGRADE,
        b"sec-websocket-version": Rule.UPGRADE,
        b"trailer": Rule.TRAILER,
    }
)
# RFC 9110 section 5.6.2
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CONTROLS = bytes(code for code in range(32) if code != 9) + b"\x7f"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=2048)
def classify(name: bytes) -> tuple[bytes, Rule]:
    """The lower-case form of a header name and what the table says about it."""
    lower = name.lower()
    if not _TOKEN.match(name) and lower not in _TABLE:
        return lower, Rule.MALFORMED
    rule = _lookup(lower)
    if rule is Rule.PASS and b"_" in lower:
        # CGI, WSGI and nginx can make `X_Forwarded_Host` and `X-Forwarded-Host` one variable.
        folded = _lookup(lower.replace(b"_", b"-"))
        return lower, Rule.PASS if folded is Rule.PASS else Rule.FORBIDDEN
    return lower, rule


def _lookup(lower: bytes) -> Rule:
    if lower.startswith(FORBIDDEN_PREFIXES):
        return Rule.FORBIDDEN
    return _TABLE.get(lower, Rule.PASS)


_PASS, _READ, _SINGLE = Rule.PASS, Rule.READ, Rule.SINGLE


def read_headers(fields: Fields) -> dict[bytes, bytes]:
    """Judge all headers; the values of those that ``READ`` and ``SINGLE`` name, by lower-case name.

    Raises Refused: TOO_LARGE, HEADER_MALFORMED, HEADER_DUPLICATE, HEADER_FORBIDDEN, MULTIPLE_CREDENTIALS,
    UPGRADE_REFUSED or TRAILERS_REFUSED. The detail names the header, never its value.
    """
    fields = tuple(fields)
    values = b" ".join([value for _, value in fields])
    if len(values.translate(None, _CONTROLS)) != len(values):
        for name, value in fields:
            if _CONTROL.search(value):
                # Also folded lines (obs-fold), which mitmproxy passes on as they are and servers read in two ways.
                raise Refused(Reason.HEADER_MALFORMED, f"the value of {_show(name)} has control characters")
    names = tuple([name for name, _ in fields])
    count, name_bytes = len(names), len(b"".join(names))
    # What a client makes up must not fill the memory: only layouts of the usual size are remembered.
    is_usual = count <= USUAL_HEADERS and name_bytes <= USUAL_NAME_BYTES
    found = {lower: fields[place][1] for lower, place in (_layout if is_usual else _read_layout)(names)}
    size = name_bytes + len(values) - max(count - 1, 0)
    if count > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise Refused(
            Reason.TOO_LARGE,
            f"the request has {count} headers with {size} bytes, more than {MAX_HEADERS} or {MAX_HEADER_BYTES}",
        )
    return found


def _read_layout(names: tuple[bytes, ...]) -> tuple[tuple[bytes, int], ...]:
    """Judge the names of a request's headers; for those that are read their lower-case form and where they stand.

    A client sends the same names in the same order for most of its calls, so the answer is remembered (``_layout``); a
    refusal is not. Raises Refused.
    """
    found: dict[bytes, int] = {}
    for place, name in enumerate(names):
        lower, rule = classify(name) if len(name) <= 64 else (name.lower(), _judge_long(name))
        if rule is _PASS:
            continue
        if rule is _READ or rule is _SINGLE:
            if lower in found:
                if lower == b"authorization":
                    raise Refused(Reason.MULTIPLE_CREDENTIALS, "there are two Authorization headers")
                raise Refused(Reason.HEADER_DUPLICATE, f"the header {_show(lower)} stands there twice")
            found[lower] = place
        else:
            _refuse(lower, rule)
    return tuple(found.items())


_layout = lru_cache(maxsize=512)(_read_layout)


def _judge_long(name: bytes) -> Rule:
    """The rule for a name too long to be worth remembering; long names must not fill the cache."""
    return classify.__wrapped__(name)[1]


def _refuse(lower: bytes, rule: Rule) -> None:
    shown = _show(lower)
    match rule:
        case Rule.CREDENTIAL:
            raise Refused(Reason.MULTIPLE_CREDENTIALS, f"the header {shown} is a second credential")
        case Rule.UPGRADE:
            raise Refused(Reason.UPGRADE_REFUSED, f"the header {shown} asks for another protocol")
        case Rule.TRAILER:
            raise Refused(Reason.TRAILERS_REFUSED, "the header Trailer announces headers after the body")
        case Rule.MALFORMED:
            raise Refused(Reason.HEADER_MALFORMED, f"{shown} is no header name")
        case _:
            raise Refused(Reason.HEADER_FORBIDDEN, f"the header {shown} could change what was judged")


def _show(name: bytes) -> str:
    """A header name fit for a message: printable, clipped."""
    return ascii(name[:48].decode("latin-1"))
