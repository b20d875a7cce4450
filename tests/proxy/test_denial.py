"""Denials in the shapes clients understand, and never in words that make them try again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from databricks.sdk._base_client import _BaseClient
from databricks.sdk.errors import PermissionDenied
from mitmproxy import http

from brickscope.core.decision import Decision
from brickscope.core.reason import Reason
from brickscope.proxy.denial import Asked, form, is_retried, message

DENIED = Decision(
    False,
    Reason.NO_RULE_MATCHES,
    "rule set 'reader' has no rule that allows it",
    subject="ci",
    rule_set="reader",
    fingerprint="sha256:" + "0" * 64,
)
ASKED = Asked("GET", "/api/2.0/sql/warehouses", "dbc-a.cloud.databricks.com")


def denial(decision: Decision, decision_id: str, asked: Asked, **more: bool) -> http.Response:
    """A denial as mitmproxy reads it."""
    found = form(decision, decision_id, asked, **more)
    return http.Response(
        b"HTTP/1.1", found.status, found.phrase, http.Headers(found.fields), found.body, None, 0, 0
    )


def body(asked: Asked = ASKED, decision: Decision = DENIED) -> dict[str, Any]:
    response = denial(decision, "3f9a1c2b-7", asked)
    assert response.status_code == (503 if decision.reason is Reason.CREDENTIAL_UNAVAILABLE else 403)
    parsed = json.loads(response.content or b"")
    assert isinstance(parsed, dict)
    return parsed


def test_the_message_says_who_denied_what_and_why() -> None:
    said = body()
    assert said["error_code"] == "PERMISSION_DENIED"
    for part in ("Brickscope", "'reader'", "GET /api/2.0/sql/warehouses", "no_rule_matches", "3f9a1c2b-7"):
        assert part in said["message"]
    info, request = said["details"]
    assert info["@type"].endswith("google.rpc.ErrorInfo")
    assert (info["reason"], info["domain"]) == ("NO_RULE_MATCHES", "brickscope")
    assert info["metadata"]["rule_set"] == "reader"
    assert request["request_id"] == "3f9a1c2b-7"


def test_thrift_clients_find_the_message_in_headers() -> None:
    headers = denial(DENIED, "x-1", ASKED).headers
    for name in ("x-thriftserver-error-message", "x-databricks-reason-phrase"):
        assert "no_rule_matches" in headers[name]


@pytest.mark.parametrize("method", ["CONNECT", "HEAD"])
def test_what_is_answered_without_a_body_says_why_in_its_first_line(method: str) -> None:
    for reason in Reason:
        decision = DENIED._replace(reason=reason)
        answer = denial(decision, "x-1", Asked(method, "a.example.com:443", "a.example.com"), head=True)
        said = answer.reason
        assert answer.headers["x-brickscope-reason"] == reason.value
        assert answer.headers["x-request-id"] == "x-1"
        assert answer.content == b""
        assert said == f"Denied by Brickscope: {reason.value}, decision x-1"
        assert not is_retried(said)
    assert denial(DENIED, "x-1", ASKED).reason == "Forbidden"


def test_grpc_clients_get_trailers_only() -> None:
    response = denial(DENIED, "x-1", ASKED, grpc=True)
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["grpc-status"] == "7"
    assert "no_rule_matches" in response.headers["grpc-message"]


def test_an_answer_to_head_has_no_body() -> None:
    response = denial(DENIED, "x-1", ASKED, head=True)
    assert response.status_code == 403
    assert response.content == b""
    assert response.headers["content-length"] == "0"


RETRIED = [
    "ClusterNotReadyException",
    "com.databricks.backend.manager.util.UnknownWorkerEnvironmentException",
    "does not have any associated worker environments",
    "There is no worker environment with id",
    "Unknown worker environment",
    "Unexpected error",
    "Please try again later or try a faster operation.",
    "RPC token bucket limit has been exceeded",
    "connection reset by peer",
    "TLS handshake timeout",
    "i/o timeout",
    "Timed out after 5s",
    "deadline exceeded",
]


@pytest.mark.parametrize("phrase", RETRIED)
def test_no_text_of_the_client_turns_a_denial_into_a_retry(phrase: str) -> None:
    text = json.dumps(body(Asked("GET", f"/api/{phrase}/x", "h")))
    assert phrase not in text
    assert not _BaseClient._is_retryable(PermissionDenied(text))


def test_nor_do_names_in_the_policy() -> None:
    decision = DENIED._replace(
        rule_set="ClusterNotReadyException", detail="rule set 'ClusterNotReadyException' ..."
    )
    assert "ClusterNotReadyException" not in json.dumps(body(decision=decision))


@pytest.mark.parametrize("reason", Reason)
def test_no_reason_of_ours_makes_a_client_try_again(reason: Reason) -> None:
    text = json.dumps(body(decision=DENIED._replace(reason=reason, detail=reason.sentence)))
    assert not _BaseClient._is_retryable(PermissionDenied(text))
    assert reason.value in text


def test_whom_to_ask_stands_in_the_body_alone() -> None:
    decision = Decision(
        False, Reason.NO_RULE_MATCHES, "rule set 'r' has no rule that allows it", rule_set="r"
    )
    asked = Asked("GET", "/x", "h", contact="#data-platform")
    response = denial(decision, "id-1", asked)
    assert json.loads(response.content or b"")["message"].endswith("decision id-1). Contact: #data-platform")
    assert b"data-platform" not in bytes(response.headers)
    assert b"data-platform" not in response.data.reason
    assert b"data-platform" not in bytes(denial(decision, "id-1", asked, grpc=True).headers)
    rpc = denial(decision._replace(ids=(1,)), "id-1", asked)
    assert json.loads(rpc.content or b"")["error"]["message"].endswith("Contact: #data-platform")
    retried = denial(decision, "id-1", asked._replace(contact="the timeout team"))
    assert b"timeout" not in (retried.content or b""), "clients would try again"


@pytest.mark.parametrize("reason", [Reason.MISSING_CREDENTIAL, Reason.UNSUPPORTED_CREDENTIAL])
def test_who_sends_no_token_is_told_to_send_one(reason: Reason) -> None:
    """Nobody can allow it, so nobody is to be asked; the words are those of ``brickscope audit denials``."""
    said = message(Decision(False, reason, "what it is"), "id-1", Asked("GET", "/x", "h"))
    assert "what it is; the client has to send a token: Authorization: Bearer TOKEN (reason" in said
    assert "ask the owner" not in said
