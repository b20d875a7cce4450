"""A call as people write it, read exactly as the proxy would read the request that it stands for.

* ``GET https://HOST/path?x=1``, ``GET /path``, ``POST /path {"json": "body"}``, or a URL alone (GET);
* a pasted ``curl`` command;
* an operation with parameters: ``jobs.run_now job_id=1012`` or ``jobs.run_now {job_id: 1012}``;
* a request for a token: ``oidc.token grant=client_credentials``.

INVARIANT: a credential that stands in it (header, user, form of a token request) is dropped once it is read. What else a
client may have written into path, query or body is judged as it is, and shown only as ``text``, which is made printable.
"""

import re
import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from brickscope.core.credential import read_token
from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.grant import TokenRequest, check_endpoint, is_token_request, read_token_request
from brickscope.core.jwt_token import is_oauth
from brickscope.core.policy import Grant
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, WireRequest, read_request
from brickscope.core.rule import WEBSOCKET
from brickscope.log.record import printable
from brickscope.policy.document import read_document
from brickscope.policy.operations import is_name

from .curl import read_curl
from .placement import find_operation, place
from .sent import CallError, Sent

EXAMPLE_HOST = "example.cloud.databricks.com"
MAX_SHOWN = 200
"""Longest body, in characters, that the text of a call repeats."""

_PLAIN = re.compile(
    r"(?:(?P<method>[A-Za-z]+)\s+)?(?P<url>(?:[A-Za-z]+://|/|\$)\S*)(?:\s+(?P<body>\S.*))?\Z", re.S
)
# In copied instructions: $DATABRICKS_HOST, ${HOST}, https://$HOST, https://<workspace>
_HOST_TO_FILL_IN = re.compile(r"(?:https://)?(?:\$\w+|\$\{\w+\}|<[^>/]*>)(?=/|\?|\Z)")
_TO_FILL_IN = re.compile(rb"[$<{\[*]|\.\.\.|\xe2\x80\xa6")
_HANDSHAKE = (
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Key", b"AAAAAAAAAAAAAAAAAAAAAA=="),
)
"""What WEBSOCKET stands for."""
_TOKEN_OPERATION = "oidc.token"  # noqa: S105 - the catalogue's name for it


class Home(NamedTuple):
    """What a call does not say: the ``host`` of a bare path, the ``workspace`` to choose there (``?o=``), and the
    ``client_id`` that asks for a token."""

    host: str = EXAMPLE_HOST
    workspace: str | None = None
    client_id: str | None = None


class Call(NamedTuple):
    """A call that can be judged. ``text``: in one line, printable and without secrets.

    ``request``: its reading, or why the proxy would refuse it for its shape. ``asked``: of a token request, what for.
    ``fingerprint``: of the token that was written with it. ``operation``: by whose name it was written. ``is_oauth``:
    whether the token is one.
    """

    text: str
    request: ApiRequest | Refused
    body: bytes = b""
    asked: TokenRequest | None = None
    fingerprint: str | None = None
    operation: str | None = None
    is_oauth: bool = False

    @property
    def known(self) -> ApiRequest:
        """Its reading. Nothing lets go on what the proxy refuses for its shape."""
        assert isinstance(self.request, ApiRequest)
        return self.request

    @property
    def url(self) -> str:
        """With host and query."""
        query = f"?{self.known.query}" if self.known.query else ""
        return f"https://{self.known.host}{self.known.path}{query}"


def read_call(written: str | Sequence[str], home: Home = Home()) -> Call:  # noqa: B008 - immutable
    """Read a call. ``written``: one text, or the words of a command line.

    Raises CallError where it can't be understood; what the proxy would refuse is a Call all the same.
    """
    words = [written] if isinstance(written, str) else list(written)
    if not words or not "".join(words).strip():
        raise CallError("there is no call", "GET /api/2.1/unity-catalog/catalogs")
    if len(words) == 1 and re.match(r"\s*(?:\$ )?curl\s", words[0]):
        text = words[0].strip().removeprefix("$ ").replace("\\\r\n", " ").replace("\\\n", " ")
        try:
            words = shlex.split(text)
        except ValueError:
            raise CallError("the curl command has a quote that is not closed") from None
    if words[0] == "curl":
        return read_sent(read_curl(words[1:]), home)
    pairs = is_name(words[0]) and not "".join(words[1:]).startswith("{")
    text = " ".join([words[0], *map(shlex.quote, words[1:])] if pairs else words).strip()
    name, _, parameters = text.partition(" ")
    if is_name(name):
        return read_operation(name, _parameters(parameters.strip()), home)
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise CallError(
            f"{printable(text)[:80]!r} is no call",
            "write METHOD URL, METHOD /path, an operation such as jobs.run_now job_id=1012, or a curl command",
        )
    body = (found["body"] or "").encode()
    headers = [("Content-Type", "application/json")] if body else []
    return read_sent(Sent(found["method"] or "GET", found["url"], headers, body), home)


def read_operation(name: str, parameters: dict[str, Any], home: Home = Home()) -> Call:  # noqa: B008 - immutable
    """A call of an operation with these parameters, each placed where the API reads it. Raises CallError."""
    if name == _TOKEN_OPERATION:
        return _token_request(parameters, home)
    return read_sent(place(name, parameters), home)._replace(operation=find_operation(name).name)


def _token_request(parameters: dict[str, Any], home: Home) -> Call:
    grant, client_id = parameters.get("grant"), parameters.get("client_id", home.client_id)
    known = [each.value for each in Grant]
    if grant not in known or set(parameters) - {"grant", "client_id"}:
        raise CallError("a token request is tried by its grant", f"oidc.token grant=… ({', '.join(known)})")
    asked = TokenRequest(Grant(grant), None if client_id is None else str(client_id))
    return read_sent(Sent("POST", "/oidc/v1/token", [], b""), home, asked)


def _parameters(text: str) -> dict[str, Any]:
    """``{job_id: 1012}`` or ``job_id=1012 path=/x``; values are read as a policy file's."""
    if text.startswith("{"):
        document, problems = read_document("the call", text.encode())
        if problems or not isinstance(document.data, dict):
            why = problems[0].message if problems else "it is no mapping"
            raise CallError(f"the parameters can't be read: {why}", "{job_id: 1012}")
        return document.data
    try:
        pairs = shlex.split(text)
    except ValueError:
        raise CallError("the parameters have a quote that is not closed") from None
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or name in found:
            raise CallError(f"{printable(pair)[:40]!r} is no parameter", "write job_id=1012, each once")
        document, problems = read_document("the call", value.encode())
        # What is no plain scalar or list is meant as text: a path with a colon, SQL.
        found[name] = value if problems or isinstance(document.data, dict | None) else document.data
    return found


def read_sent(sent: Sent, home: Home = Home(), asked: TokenRequest | None = None) -> Call:  # noqa: B008 - immutable
    """Read what would be sent, by the proxy's own reading, and drop what is secret.

    ``asked``: what a token request asks for, where its form is not there to be read. Raises CallError.
    """
    url = _HOST_TO_FILL_IN.sub("", sent.url, count=1) or "/"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise CallError("the URL can't be read") from None
    host, port = (parts.hostname or "").lower(), None
    if url.startswith("/"):
        host = home.host
        target = url.partition("#")[0]  # no client sends a fragment
        if home.workspace is not None and not _chooses(sent, target):
            target += f"{'&' if '?' in target else '?'}o={home.workspace}"
    else:
        target = url.partition("#")[0].partition("://")[2].partition("/")[2]
        target = f"/{target}"
        try:
            port = parts.port
        except ValueError:
            raise CallError("the URL's port is no number") from None
        if parts.username is not None:
            raise CallError("the URL has a user in it", "leave it out: the subject is named apart")
    headers = _headers(sent, host)
    is_websocket = sent.method == WEBSOCKET
    if is_websocket:
        headers += _HANDSHAKE
    wire = WireRequest(
        b"GET" if is_websocket else sent.method.encode(),
        target.encode(),
        b"",
        b"HTTP/1.1",
        headers,
        host,
        port or 443,
        host,
        b"http/1.1",
        not sent.body,
    )
    shown = f"{printable(sent.method)[:16]} https://{printable(host)[:253]}"
    path = printable(target.partition("?")[0])
    if parts.scheme not in ("", "https"):
        refused = Refused(Reason.NOT_ENCRYPTED, "Databricks hosts are reached by HTTPS only")
        return Call(f"{shown}{path}", refused)
    if port not in (None, 443):
        return Call(f"{shown}{path}", Refused(Reason.PORT_NOT_ALLOWED, f"the port is {port}, not 443"))
    try:
        request = read_request(wire)
        if is_token_request(request):
            return _token_call(request, sent.body, asked)
        token = None if request.authorization is None else read_token(request.authorization)
    except Refused as refused:
        return Call(f"{shown}{path}", refused)
    text = shown_call(request, sent.body)
    name = None if token is None else fingerprint(token)
    hourly = token is not None and is_oauth(token)
    return Call(text, request._replace(authorization=None), sent.body, fingerprint=name, is_oauth=hourly)


def _token_call(request: ApiRequest, body: bytes, asked: TokenRequest | None) -> Call:
    """A written token request: its form and header are secrets, of which the grant and client are kept. Raises Refused."""
    check_endpoint(request)
    asked = asked or read_token_request(request, body)
    return Call(shown_call(request, b"", asked), request._replace(authorization=None), asked=asked)


def shown_call(request: ApiRequest, body: bytes, asked: TokenRequest | None = None) -> str:
    """A call in one line, printable; of a token request, what for."""
    target = f"https://{printable(request.host)[:253]}{printable(request.path)}"
    shown = f"{printable(request.method)[:16]} {target}"
    if asked is not None:
        return f"{shown} (grant {asked.grant.value}, client {printable(asked.client_id or 'none')[:64]})"
    return f"{shown}{'' if request.query is None else printable(f'?{request.query}')}{_shown_body(body)}"


def _chooses(sent: Sent, target: str) -> bool:
    """Whether a call chooses a workspace itself."""
    named = any(
        name.lower() in ("x-databricks-org-id", "x-databricks-workspace-id") for name, _ in sent.headers
    )
    return named or re.search(r"[?&](?:o|workspace_id)=", target) is not None


def _headers(sent: Sent, host: str) -> list[tuple[bytes, bytes]]:
    fields = [(b"Host", host.encode())]
    for name, value in sent.headers:
        raw = value.encode()
        if name.lower() == "authorization" and _TO_FILL_IN.search(raw.partition(b" ")[2]):
            continue  # `Bearer $TOKEN`, `Bearer <token>`: not the token, but where it goes
        fields.append((name.encode(), raw))
    if sent.body and not any(name.lower() == b"content-length" for name, _ in fields):
        fields.append((b"Content-Length", str(len(sent.body)).encode()))
    return fields


def _shown_body(body: bytes) -> str:
    if not body:
        return ""
    text = printable(body.decode("utf-8", "replace"))
    return f" {text}" if len(text) <= MAX_SHOWN else f" {text[: MAX_SHOWN - 1]}…"
