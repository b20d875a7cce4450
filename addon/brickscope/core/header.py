"""What each request header may do, by its name: few that are read, and a description of those that must not stand there.

Most headers are none of our business and pass untouched. What decides on framing or routing may stand there once. A name
that says that it carries a credential, or that it overrides method, path, host or the client's identity, is refused by its
*words*, since no list of brands is ever complete; excused are the names that clients are known to send. What values may
be: ``fields.py``.
"""

import re
from enum import Enum
from functools import lru_cache

from .decision import Refused
from .reason import Reason


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


MANAGEMENT = b"x-databricks-azure-sp-management-token"
UPGRADE = (
    b"upgrade",
    b"sec-websocket-key",
    b"sec-websocket-version",
    b"sec-websocket-protocol",
    b"sec-websocket-extensions",
)
"""What a request for a websocket says (``websocket.py``)."""
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
    # Azure's second token, and the workspace that it is for (databricks-sdk azure.py); ``management.py`` judges both.
    MANAGEMENT,
    b"x-databricks-azure-workspace-resource-id",
    # What a call to a tool server repeats of its body (MCP 2026-07-28); ``message.py`` holds the two to each other.
    b"mcp-method",
    b"mcp-name",
    *UPGRADE,
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
        "feature-store-method-name",  # databricks-feature-engineering: which of its own methods calls
        "publish_auth_type",  # the same, of publish_table
        "postman-token",  # Postman: a UUID of each request
        # coding agents: the conversation, the installation
        "x-claude-code-session-id",
        "session_id",  # Codex
        "x-gemini-api-privileged-user-id",
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
# RFC 9110 section 5.6.2
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_WORD = re.compile(r"[^a-z0-9]+")
_READ = frozenset(READ)


@lru_cache(maxsize=2048)
def classify(name: bytes) -> tuple[bytes, Role]:
    """The lower-case form of a header name and its role."""
    lower = name.lower()
    if lower in _READ:
        return lower, Role.READ
    if not _NAME.match(name):
        return lower, Role.MALFORMED
    plain = words_of(lower)
    if plain in _ONCE:
        return lower, Role.DOUBLE
    if plain == "upgrade" or plain.startswith("sec-websocket-"):
        return lower, Role.UPGRADE
    if plain == "trailer":
        return lower, Role.TRAILER
    if "authorization" in plain.replace("-", ""):
        return lower, Role.AUTHORIZATION
    if lower.decode("ascii") in EXCUSED:
        return lower, Role.PASS
    if CREDENTIAL_WORDS.search(plain):
        return lower, Role.CREDENTIAL
    words = plain.replace("user-agent", "agent").split(
        "-"
    )  # a program's name (gRPC-Web, older OpenAI clients)
    is_override = plain in HOP_BY_HOP or plain.encode() in _READ or any(map(OVERRIDE_WORDS.fullmatch, words))
    return lower, Role.OVERRIDE if is_override else Role.PASS


def words_of(lower: bytes) -> str:
    """The words of a name in lower case: CGI, WSGI, nginx make one variable of `X_Forwarded_Host` and `X-Forwarded-Host`."""
    return "-".join(_WORD.split(lower.decode("latin-1"))).strip("-")


class Layout:
    """What the ``names`` of a request's headers say. ``read``: those in READ, in lower case, and where they stand.
    ``authorization``, ``content_length``, ``management``: where these stand, None where nowhere. ``asks``: whether any
    of UPGRADE is there. ``flaw``: the first one."""

    __slots__ = ("asks", "authorization", "content_length", "flaw", "management", "names", "read")

    def __init__(
        self, names: tuple[bytes, ...], found: dict[bytes, int], flaw: tuple[Reason, str] | None
    ) -> None:
        self.names = names
        self.read = tuple(found.items())
        self.asks = not found.keys().isdisjoint(UPGRADE)
        self.authorization = found.get(b"authorization")
        self.content_length = found.get(b"content-length")
        self.management = found.get(MANAGEMENT)
        self.flaw = flaw


def read_layout(names: tuple[bytes, ...]) -> Layout:
    """Judge the names of a request's headers. Raises Refused: HEADER_DUPLICATE, MULTIPLE_CREDENTIALS, UPGRADE_REFUSED,
    TRAILERS_REFUSED, HEADER_FORBIDDEN or HEADER_MALFORMED."""
    found: dict[bytes, int] = {}
    flaw: tuple[Reason, str] | None = None
    for place, name in enumerate(names):
        # Long names must not fill the cache.
        lower, role = (classify if len(name) <= 64 else classify.__wrapped__)(name)
        if role is Role.PASS:
            continue
        if role is not Role.READ:
            this = _flaw(lower, role)  # also after another one: it may raise
            flaw = flaw or this
            continue
        if lower in found:
            if lower == b"authorization":
                raise Refused(Reason.MULTIPLE_CREDENTIALS, "there are two Authorization headers")
            raise Refused(Reason.HEADER_DUPLICATE, f"the header {show(lower)} appears twice")
        found[lower] = place
    return Layout(names, found, flaw)


def _flaw(lower: bytes, role: Role) -> tuple[Reason, str]:
    """What is wrong with a header of this name. Raises Refused where it leaves open whose the call is or where it ends."""
    shown = show(lower)
    match role:
        case Role.AUTHORIZATION:
            raise Refused(Reason.MULTIPLE_CREDENTIALS, f"the header {shown} is a second credential")
        case Role.UPGRADE:
            raise Refused(Reason.UPGRADE_REFUSED, f"the header {shown} requests another protocol")
        case Role.TRAILER:
            raise Refused(Reason.TRAILERS_REFUSED, "the header Trailer announces headers after the body")
        case Role.DOUBLE:
            raise Refused(
                Reason.HEADER_FORBIDDEN, f"the header {shown} could be mistaken for {words_of(lower)!r}"
            )
        case Role.MALFORMED:
            raise Refused(Reason.HEADER_MALFORMED, f"{shown} is not a header name")
        case Role.CREDENTIAL:
            advice = _SETTING.get(lower.decode("latin-1"))
            more = f"; {advice}" if advice else ""
            return Reason.MULTIPLE_CREDENTIALS, f"the header {shown} is a second credential{more}"
        case _:
            return Reason.HEADER_FORBIDDEN, f"the header {shown} could override what was judged"


def show(name: bytes) -> str:
    """A header's name fit for a message: printable, clipped."""
    return ascii(name[:48].decode("latin-1"))
