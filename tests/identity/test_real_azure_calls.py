"""What Azure's clients really send (../shared/real_traffic.md, K2), each with its right answer, and what stays refused."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from brickscope.core.decide import decide
from brickscope.core.decision import Decision
from brickscope.core.request import read_request
from core.entra_tokens import OTHER_APPLICATION, OTHER_OBJECT, OTHER_TENANT, POLICY, app_claims, load, token
from core.wire import Fields, h1
from identity.judged_token import decided
from lab.workspace.entra import HOST, OBJECT, RESOURCE_ID

CLIENT = "6f1f3b8e-3a4d-4c8c-9a55-0d2f6f1c9b10"
INGEST = "urn:example:ingest"
NAMED = POLICY.replace(
    f"object_id: {OBJECT}\n", f"object_id: {OBJECT}\n    azure_resource: {RESOURCE_ID}\n", 1
).replace(
    "users:\n",
    f"  ingest:\n    client_id: {CLIENT}\n    rule_set: reader\n    grants: [client_credentials]\n"
    f"    token_fields:\n      resource: [{INGEST}]\n      audience: [https://example]\nusers:\n",
    1,
)
OWN = token(app_claims())
SECOND = (
    b"X-Databricks-Azure-SP-Management-Token",
    token(app_claims(aud="https://management.core.windows.net/")),
)
RESOURCE = (b"X-Databricks-Azure-Workspace-Resource-Id", RESOURCE_ID.encode())
FORM = {
    "grant_type": "client_credentials",
    "client_id": CLIENT,
    "client_secret": "s3cret-s3cret",
    "scope": "all-apis",
}

# bearer, method, target, more headers, reason
CALLS: dict[str, tuple[bytes, bytes, bytes, Fields, str]] = {
    "the look-up of a tenant": (b"", b"GET", b"/aad/auth", [], "allowed_without_credential"),
    "that with a query": (b"", b"GET", b"/aad/auth?x=1", [], "missing_credential"),
    "that with a credential": (OWN, b"GET", b"/aad/auth", [], "unknown_operation"),
    "that with a body": (b"", b"GET", b"/aad/auth", [(b"Content-Length", b"1")], "missing_credential"),
    "that by another method": (b"", b"POST", b"/aad/auth", [], "missing_credential"),
    "an identity's own token": (OWN, b"GET", b"/api/2.1/unity-catalog/catalogs", [], "allowed_by_rule"),
    "the pair of headers": (
        OWN,
        b"GET",
        b"/api/2.1/unity-catalog/catalogs",
        [SECOND, RESOURCE],
        "allowed_by_rule",
    ),
    "the pair, of a subject that has none": (
        token(app_claims(appid=OTHER_APPLICATION, oid=OTHER_OBJECT, sub=OTHER_OBJECT)),
        b"GET",
        b"/api/2.1/unity-catalog/catalogs",
        [SECOND, RESOURCE],
        "multiple_credentials",
    ),
    "another workspace's resource": (
        OWN,
        b"GET",
        b"/api/2.1/unity-catalog/catalogs",
        [SECOND, (RESOURCE[0], RESOURCE[1] + b"2")],
        "multiple_credentials",
    ),
    "another tenant's token": (
        token(app_claims(tid=OTHER_TENANT, iss=f"https://sts.windows.net/{OTHER_TENANT}/")),
        b"GET",
        b"/api/2.1/unity-catalog/catalogs",
        [],
        "wrong_tenant",
    ),
    "a token for another audience": (
        token(app_claims(aud="https://graph.microsoft.com")),
        b"GET",
        b"/api/2.1/unity-catalog/catalogs",
        [],
        "wrong_audience",
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_call_of_azures_clients(case: str, tmp_path: Path) -> None:
    bearer, method, target, fields, reason = CALLS[case]
    decision = decided(load(tmp_path, NAMED), bearer, target=target, fields=fields, method=method)
    assert decision.reason.value == reason, decision.detail
    assert "brickscope fingerprint" not in decision.detail, "it lives an hour"


# further fields of a token request, allowed or not
FIELDS = {
    "no more": ({}, True),
    "a resource that is named": ({"resource": INGEST}, True),
    "an audience that is named": ({"audience": "https://example"}, True),
    "another resource": ({"resource": "urn:example:other"}, False),
    "another audience": ({"audience": "https://example2"}, False),
    "a field that nobody named": ({"claims": "{}"}, False),
}


def requested(folder: Path, form: dict[str, str]) -> Decision:
    fields: Fields = [(b"Host", HOST.encode()), (b"Content-Type", b"application/x-www-form-urlencoded")]
    wire = h1(b"POST", b"/oidc/v1/token", fields, tunnel_host=HOST, server_name=HOST)
    return decide(load(folder, NAMED), read_request(wire), "10.0.0.1", 0.0, None, urlencode(form).encode())


@pytest.mark.parametrize("case", FIELDS)
def test_a_token_request_with_more_fields(case: str, tmp_path: Path) -> None:
    more, allowed = FIELDS[case]
    decision = requested(tmp_path, FORM | more)
    assert decision.reason.value == ("allowed_by_grant" if allowed else "grant_refused"), decision.detail
    assert allowed or next(iter(more)) in decision.detail, "the refusal names the field"
