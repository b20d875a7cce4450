"""Azure's second token: allowed for whom the policy says so, if it is the subject's own; refused in every mode else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brickscope.core.fingerprint import fingerprint
from brickscope.core.policy import Policy
from brickscope.core.reason import Reason
from brickscope.policy.problem import PolicyError
from core.entra_tokens import (
    OTHER_APPLICATION,
    OTHER_KEY,
    OTHER_OBJECT,
    OTHER_TENANT,
    POLICY,
    app_claims,
    load,
    person_claims,
    token,
)
from core.oauth import NOW
from core.wire import TOKEN
from identity.judged_token import decided
from lab.workspace.entra import APPLICATION, OBJECT, RESOURCE_ID

MANAGEMENT = "https://management.core.windows.net/"
NAMED = POLICY.replace(
    f"object_id: {OBJECT}\n", f"object_id: {OBJECT}\n    azure_resource: {RESOURCE_ID}\n", 1
)
BEARER = token(app_claims())
SECOND, RESOURCE = b"X-Databricks-Azure-SP-Management-Token", b"X-Databricks-Azure-Workspace-Resource-Id"


def second(**changes: Any) -> bytes:
    return token(app_claims(**{"aud": MANAGEMENT, **changes}))


OWN = second()
PAIR = [(SECOND, OWN), (RESOURCE, RESOURCE_ID.encode())]


@pytest.fixture(params=["", "mode: monitor\n"], ids=["enforce", "monitor"])
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> Policy:
    return load(tmp_path, NAMED + request.param)


GOOD = {
    "both": PAIR,
    "the token alone, as the SDK sends it without a resource": PAIR[:1],
    "the resource in other letters": [PAIR[0], (RESOURCE, RESOURCE_ID.upper().encode())],
    "Azure's resource manager as the audience": [
        (SECOND, second(aud="https://management.azure.com")),
        PAIR[1],
    ],
    "a token of the other version": [
        (SECOND, token(app_claims("2.0", aud=MANAGEMENT))),
        PAIR[1],
    ],
    "names in lower case, as HTTP/2 has them": [(name.lower(), value) for name, value in PAIR],
}


@pytest.mark.parametrize("fields", GOOD.values(), ids=GOOD)
def test_the_subjects_own_second_token_is_let_through(
    fields: list[tuple[bytes, bytes]], policy: Policy
) -> None:
    decision = decided(policy, BEARER, fields=fields)
    assert (decision.allow, decision.reason, decision.subject) == (True, Reason.ALLOWED_BY_RULE, "etl")
    assert decision.principal is not None
    assert decision.principal.azure_resource == RESOURCE_ID.lower()


def test_it_opens_no_more_than_the_rules(policy: Policy) -> None:
    decision = decided(policy, BEARER, fields=PAIR, target=b"/api/2.0/sql/warehouses")
    assert (decision.allow, decision.reason) == (False, Reason.NO_RULE_MATCHES)


def test_the_resource_without_a_second_token_is_no_credential(policy: Policy) -> None:
    decision = decided(policy, BEARER, fields=PAIR[1:])
    assert decision.allow
    assert decision.principal is not None
    assert decision.principal.azure_resource is None


OTHER = {"oid": OTHER_OBJECT, "sub": OTHER_OBJECT}
BAD: dict[str, tuple[bytes, list[tuple[bytes, bytes]]]] = {
    "another application's": (BEARER, [(SECOND, second(**OTHER)), PAIR[1]]),
    "one of another application id": (BEARER, [(SECOND, second(appid=OTHER_APPLICATION)), PAIR[1]]),
    "a person's": (BEARER, [(SECOND, token(person_claims(aud=MANAGEMENT))), PAIR[1]]),
    "another tenant's": (
        BEARER,
        [(SECOND, second(iss=f"https://sts.windows.net/{OTHER_TENANT}/", tid=OTHER_TENANT)), PAIR[1]],
    ),
    "the bearer once more": (BEARER, [(SECOND, BEARER), PAIR[1]]),
    "one for Microsoft Graph": (BEARER, [(SECOND, second(aud="https://graph.microsoft.com")), PAIR[1]]),
    "one for another cloud's management": (
        BEARER,
        [(SECOND, second(aud="https://management.core.usgovcloudapi.net/")), PAIR[1]],
    ),
    "one for two": (BEARER, [(SECOND, second(aud=[MANAGEMENT])), PAIR[1]]),
    "one of another key": (
        BEARER,
        [(SECOND, token(app_claims(aud=MANAGEMENT), key=OTHER_KEY)), PAIR[1]],
    ),
    "one of an unknown key": (
        BEARER,
        [(SECOND, token(app_claims(aud=MANAGEMENT), kid="key-9")), PAIR[1]],
    ),
    "one of yesterday": (BEARER, [(SECOND, second(exp=NOW - 1)), PAIR[1]]),
    "one with a scheme": (BEARER, [(SECOND, b"Bearer " + OWN), PAIR[1]]),
    "a personal access token": (BEARER, [(SECOND, TOKEN), PAIR[1]]),
    "an empty one": (BEARER, [(SECOND, b""), PAIR[1]]),
    "another resource": (BEARER, [PAIR[0], (RESOURCE, RESOURCE_ID.replace("prod", "dev").encode())]),
    "the resource with a slash": (BEARER, [PAIR[0], (RESOURCE, RESOURCE_ID.encode() + b"/")]),
    "the resource encoded": (BEARER, [PAIR[0], (RESOURCE, RESOURCE_ID.replace("prod", "pro%64").encode())]),
    "an empty resource": (BEARER, [PAIR[0], (RESOURCE, b"")]),
    "a subject without a resource": (
        token(app_claims(oid=OTHER_OBJECT, sub=OTHER_OBJECT, appid=OTHER_APPLICATION)),
        [(SECOND, second(**OTHER, appid=OTHER_APPLICATION)), PAIR[1]],
    ),
    "a subject without a resource, the token alone": (
        token(app_claims(oid=OTHER_OBJECT, sub=OTHER_OBJECT, appid=OTHER_APPLICATION)),
        [(SECOND, second(**OTHER, appid=OTHER_APPLICATION))],
    ),
    "a person": (token(person_claims()), [(SECOND, token(person_claims(aud=MANAGEMENT))), PAIR[1]]),
}


@pytest.mark.parametrize(("bearer", "fields"), BAD.values(), ids=BAD)
def test_any_other_second_token_is_refused_in_every_mode(
    bearer: bytes, fields: list[tuple[bytes, bytes]], policy: Policy
) -> None:
    decision = decided(policy, bearer, fields=fields)
    assert (decision.reason, decision.forwards) == (Reason.MULTIPLE_CREDENTIALS, False)
    assert "X-Databricks-Azure-SP-Management-Token" in decision.detail
    assert not any(value.decode() in decision.detail for _, value in fields[:1] if value)


TWICE = {
    "two second tokens": [PAIR[0], PAIR[0], PAIR[1]],
    "two resources": [*PAIR, PAIR[1]],
    "one with an underscore beside it": [*PAIR, (SECOND.replace(b"-", b"_"), OWN)],
    "a resource with an underscore": [PAIR[0], (RESOURCE.replace(b"-", b"_"), RESOURCE_ID.encode())],
    "another one's header of the same kind": [*PAIR, (b"X-Databricks-GCP-SA-Access-Token", OWN)],
}


@pytest.mark.parametrize("fields", TWICE.values(), ids=TWICE)
def test_each_stands_there_once(fields: list[tuple[bytes, bytes]], tmp_path: Path) -> None:
    decision = decided(load(tmp_path, NAMED), BEARER, fields=fields)
    assert not decision.forwards
    assert decision.reason in (
        Reason.MULTIPLE_CREDENTIALS,
        Reason.HEADER_DUPLICATE,
        Reason.HEADER_FORBIDDEN,
    )


def test_a_subject_of_another_kind_has_none(tmp_path: Path) -> None:
    text = NAMED.replace(
        "service_principals:",
        f"tokens:\n  pat:\n    fingerprint: {fingerprint(TOKEN)}\n    rule_set: reader\nservice_principals:",
        1,
    )
    decision = decided(load(tmp_path, text), TOKEN, fields=PAIR)
    assert (decision.reason, decision.forwards) == (Reason.MULTIPLE_CREDENTIALS, False)


def test_without_the_keys_nothing_passes(policy: Policy) -> None:
    decision = decided(policy, BEARER, {}, fields=PAIR)
    assert not decision.allow


def test_what_needs_no_credential_takes_no_second_token_either(policy: Policy) -> None:
    for target in (b"/.well-known/databricks-config", b"/aad/auth", b"/oidc/jwks.json"):
        decision = decided(policy, b"", fields=PAIR, target=target)
        assert decision.reason is Reason.MISSING_CREDENTIAL, target
        assert not decision.forwards, target


def test_nobodys_call_is_sent_with_a_second_token_in_no_mode(policy: Policy) -> None:
    assert decided(policy, TOKEN, fields=PAIR).reason is Reason.UNKNOWN_TOKEN
    for bearer in (b"", TOKEN, token(app_claims(oid=OTHER_OBJECT, sub=OTHER_OBJECT))):
        assert not decided(policy, bearer, fields=PAIR).forwards


def test_a_request_for_a_token_takes_no_second_token(policy: Policy) -> None:
    decision = decided(policy, b"", fields=PAIR, target=b"/oidc/v1/token", method=b"POST")
    assert (decision.reason, decision.forwards) == (Reason.MULTIPLE_CREDENTIALS, False)


WRONG = {
    "no workspace": ("/subscriptions/x", "this is not the id of a workspace in Azure"),
    "another provider": (
        RESOURCE_ID.replace("Databricks", "Storage"),
        "this is not the id of a workspace in Azure",
    ),
    "more below it": (f"{RESOURCE_ID}/x", "this is not the id of a workspace in Azure"),
    "a query": (f"{RESOURCE_ID}?x", "this is not the id of a workspace in Azure"),
}


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG)
def test_a_resource_that_is_none_is_an_error(value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=message):
        load(tmp_path, NAMED.replace(RESOURCE_ID, f"'{value}'"))


def test_a_resource_without_a_tenant_is_an_error(tmp_path: Path) -> None:
    text = NAMED.replace(f"tenant: company\n    object_id: {OBJECT}", f"client_id: {APPLICATION}", 1)
    with pytest.raises(PolicyError, match="azure_resource is of somebody in a tenant"):
        load(tmp_path, text)


def test_a_resource_changes_the_revision(tmp_path: Path) -> None:
    texts = (POLICY, NAMED, NAMED.replace("workspaces/prod", "workspaces/dev"))
    assert len({load(tmp_path, text).revision for text in texts}) == 3
