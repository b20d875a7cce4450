"""The answer to a denied call, in the shapes that Databricks' clients understand.

Shapes and pitfalls by source: ``../shared/databricks.md`` section 5. A 403 with a *string* ``error_code`` is raised at
once by every official client; 429, 503, a refused CONNECT or certain phrases in the text are retried for minutes.
"""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

import orjson

from brickscope.core.decision import Decision
from brickscope.core.reason import SEND_A_TOKEN, Kind, Reason

from .wire.answer import Form, written

DOMAIN = "brickscope"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
"""The answer to CONNECT, where the tunnel is there."""

# databricks-sdk 0.156 _base_client.py; databricks-sdk-go v0.175 httpclient (its patterns ignore case and context).
# A client that finds one of these in the text of an error takes it for a passing fault and tries again.
_RETRIED = (
    "unknownworkerenvironment",
    "worker env",
    "clusternotready",
    "unexpected error",
    "try again",
    "token bucket",
    "timed out",
    "timeout",
    "deadline exceeded",
    "connection reset",
    "connection refused",
    "tls handshake",
    "unexpected eof",
    "broken pipe",
    "temporarily",
    "request_limit_exceeded",
    "too many requests",
    "rate limit",
)


def is_retried(text: str) -> bool:
    """Whether a client could take an error with this text for a passing fault."""
    lower = text.lower()
    return any([phrase in lower for phrase in _RETRIED])  # noqa: C419 - a list is faster than a generator here


_is_retried_name = lru_cache(maxsize=1024)(is_retried)
"""For names of the policy and the catalogue, which are few and always the same."""
_THIS = "this call"
_WITHOUT = (Reason.MISSING_CREDENTIAL, Reason.UNSUPPORTED_CREDENTIAL)


class Asked(NamedTuple):
    """What a denial says of the request: printable text, already without secrets. ``oauth``: it asked for a token.
    ``hints``: the client may be told what would allow it. ``contact``: whom to ask."""

    method: str
    path: str
    host: str
    oauth: bool = False
    hints: bool = True
    contact: str | None = None


def message(decision: Decision, decision_id: str, asked: Asked) -> str:
    """One paragraph for whoever meets the 403: who denied what, why, and what to do.

    What the client sent is left out where it holds a phrase that would make a client try again.
    """
    what = f"{asked.method} {asked.path}"
    text = _paragraph(decision, decision_id, asked, what if len(what) <= 300 else _THIS)
    if is_retried(text):
        text = _paragraph(decision, decision_id, asked, _THIS)
        if is_retried(text):
            text = f"Brickscope denied {_THIS} (reason {decision.reason.value}, decision {decision_id})."
    return text


def _paragraph(decision: Decision, decision_id: str, asked: Asked, what: str) -> str:
    if decision.reason.kind is Kind.POLICY and not asked.hints:
        text = (
            f"Brickscope denied {what}: {decision.reason.sentence[0].lower()}{decision.reason.sentence[1:-1]}"
        )
    elif decision.reason.kind is Kind.POLICY and decision.rule_set:
        ask = "ask the owner of the rule set"
        if decision.reason is Reason.NO_RULE_MATCHES and decision.operation:
            ask += f" for the rule {decision.operation}"
        text = f"Brickscope denied {what}: {decision.detail}. To have it allowed, {ask}"
    elif decision.reason in _WITHOUT:
        text = f"Brickscope denied {what}: {decision.detail}; {SEND_A_TOKEN}"
    elif decision.reason.kind is Kind.SUBJECT:
        text = f"Brickscope denied {what}: {decision.detail}. To have it allowed, ask the owner of the policy"
    elif decision.reason.kind in (Kind.INTERNAL, Kind.PLACEHOLDER):
        text = f"Brickscope did not send {what}: {decision.detail}. Tell the operator of the proxy"
    else:
        text = f"Brickscope refused {what}: {decision.detail}"
    return f"{text} (reason {decision.reason.value}, decision {decision_id})."


def form(
    decision: Decision,
    decision_id: str,
    asked: Asked,
    *,
    grpc: bool = False,
    head: bool = False,
    close: bool = False,
) -> Form:
    """The answer: HTTP 403 with Databricks' JSON (503 where a credential could not be had, which clients
    try again); for gRPC a trailers-only ``grpc-status: 7`` (14); for JSON-RPC requests, an error for each.

    ``head``: the request was HEAD, so the answer has no body. ``close``: the connection ends with this answer.
    """
    text = message(decision, decision_id, asked)
    fields: list[tuple[bytes, bytes]] = [
        (b"x-request-id", decision_id.encode()),
        (b"x-brickscope-reason", decision.reason.value.encode()),
    ]
    later = decision.reason is Reason.CREDENTIAL_UNAVAILABLE
    if later:
        fields.append((b"retry-after", str(RETRY_AFTER).encode()))
    if grpc:
        # gRPC over HTTP/2 spec, "Responses": status in the headers, no body; grpc-message is percent-encoded.
        fields += [
            (b"content-type", b"application/grpc"),
            (b"grpc-status", b"14" if later else b"7"),  # UNAVAILABLE, PERMISSION_DENIED
            (b"grpc-message", quote(text, safe=" '(),/:;=").encode()),
        ]
        return Form(200, b"OK", fields, b"")
    line = text.encode("ascii", "replace")
    if asked.contact is not None and not _is_retried_name(asked.contact):
        text += f" Contact: {asked.contact}"  # in the body alone: what somebody wrote for people is no header
    if decision.ids and not later:
        return _rpc(decision, decision_id, asked, text, fields, close=close)
    body = _json(decision, decision_id, asked, text)
    fields += [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        # Thrift clients ignore the body and read these (databricks-sql-connector, JDBC). Not beside them
        # x-databricks-error-or-redirect-message: the connector (4.9, thrift_backend.py) then says all of it three times.
        (b"x-databricks-reason-phrase", line),
        (b"x-thriftserver-error-message", line),
        (b"content-length", b"0" if head else str(len(body)).encode()),
    ]
    if close:
        fields.append((b"connection", b"close"))
    first = phrase(decision, decision_id, asked)
    if later and first == b"Forbidden":
        first = b"Service Unavailable"
    return Form(503 if later else 403, first, fields, b"" if head else body)


def answer_bytes(status: int, phrase: bytes, text: bytes, *fields: tuple[bytes, bytes]) -> bytes:
    """An answer of the proxy itself to what it was asked, in plain text; the connection ends with it."""
    all_fields = [
        *fields,
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    return written(Form(status, phrase, all_fields, text))


def phrase(decision: Decision, decision_id: str, asked: Asked) -> bytes:
    """The reason phrase. Of an answer to CONNECT it is all that Python's http.client, aiohttp and Go's net/http show, and of
    one to HEAD, which has no body, all that Databricks' SDKs do. (HTTP/2 has none.)"""
    if asked.method not in ("CONNECT", "HEAD"):
        return b"Forbidden"
    return f"Denied by Brickscope: {decision.reason.value}, decision {decision_id}".encode()


RETRY_AFTER = 5
"""Seconds after which a client may try again where the real credential could not be had."""
RPC_ERROR = -32010
"""Of the range that JSON-RPC leaves to servers (-32099 to -32000); official MCP clients give it no meaning of their own."""


def _rpc(
    decision: Decision,
    decision_id: str,
    asked: Asked,
    text: str,
    fields: list[tuple[bytes, bytes]],
    *,
    close: bool,
) -> Form:
    """The answer to JSON-RPC requests (JSON-RPC 2.0 section 5; MCP, Streamable HTTP): an error is an answer that the client
    hands to whoever asked, while a status other than 200 ends its session."""
    data = {"decision_id": decision_id, "reason": decision.reason.value}
    if asked.hints and decision.operation is not None:
        data["operation"] = decision.operation
    errors = [
        {"jsonrpc": "2.0", "id": each, "error": {"code": RPC_ERROR, "message": text, "data": data}}
        for each in decision.ids
    ]
    body = orjson.dumps(errors[0] if decision.batch is None else errors)
    fields = [
        *fields,
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
    ]
    if close:
        fields.append((b"connection", b"close"))
    return Form(200, b"OK", fields, body)


def _json(decision: Decision, decision_id: str, asked: Asked, text: str) -> bytes:
    metadata = {"decision_id": decision_id, "method": asked.method, "host": asked.host}
    if asked.path in text or not is_retried(asked.path):  # the text was looked at
        metadata["path"] = asked.path
    for name in ("subject", "rule_set", "rule", "fingerprint", "operation") if asked.hints else ():
        value = getattr(decision, name)
        if value is not None and not _is_retried_name(value):
            metadata[name] = value
    later = decision.reason is Reason.CREDENTIAL_UNAVAILABLE
    # RFC 6749 section 5.2: what OAuth clients show of a refused token request.
    oauth = {"error": "access_denied", "error_description": text} if asked.oauth else {}
    return orjson.dumps(
        oauth
        | {
            "error_code": "TEMPORARILY_UNAVAILABLE" if later else "PERMISSION_DENIED",
            "message": text,
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": decision.reason.value.upper(),
                    "domain": DOMAIN,
                    "metadata": metadata,
                },
                {
                    "@type": "type.googleapis.com/google.rpc.RequestInfo",
                    "request_id": decision_id,
                    "serving_data": "",
                },
            ],
        }
    )
