"""Tokens of Entra ID from the wire to the decision: each good one is its subject's, each bad one nobody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from brickscope.core.entra import CONSUMERS, RESOURCE
from brickscope.core.policy import Policy
from brickscope.core.reason import Kind, Reason
from core.entra_tokens import (
    OTHER_APPLICATION,
    OTHER_KEY,
    OTHER_OBJECT,
    OTHER_TENANT,
    PERSON,
    POLICY,
    V1,
    V1_KEYS,
    V2,
    V2_KEYS,
    app_claims,
    load,
    person_claims,
    token,
)
from core.oauth import EC_KEY, NOW, jwk, key_set, unsigned
from identity.judged_token import decided
from lab.workspace.entra import APPLICATION, HOST, OBJECT, TENANT


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return load(tmp_path)


GOOD = {
    "an application by its object id, v1": (app_claims(), "etl"),
    "an application by its object id, v2": (app_claims("2.0"), "etl"),
    "one that says what it is": (app_claims(idtyp="app"), "etl"),
    "a managed identity": (app_claims(appid=OTHER_OBJECT, xms_mirid="/subscriptions/x"), "etl"),
    "an application by its application id, v1": (
        app_claims(oid=OTHER_OBJECT, sub=OTHER_OBJECT, appid=OTHER_APPLICATION),
        "deploy",
    ),
    "an application by its application id, v2": (
        app_claims("2.0", oid=OTHER_OBJECT, sub=OTHER_OBJECT, azp=OTHER_APPLICATION),
        "deploy",
    ),
    "a person, v1": (person_claims(), "ada"),
    "a person, v2": (person_claims("2.0"), "ada"),
    "a person by an application that the policy knows": (person_claims(appid=OTHER_APPLICATION), "ada"),
    "a person with several scopes": (person_claims(scp="user_impersonation offline_access"), "ada"),
    "a guest": (person_claims(idp=f"https://sts.windows.net/{OTHER_TENANT}/"), "ada"),
    "a person of another name": (
        person_claims(upn="cfo@example.com", unique_name="cfo@example.com"),
        "ada",
    ),
}


@pytest.mark.parametrize(("claims", "subject"), GOOD.values(), ids=GOOD)
def test_whose_token_it_is(claims: dict[str, Any], subject: str, policy: Policy) -> None:
    asked: list[str] = []
    decision = decided(policy, token(claims), asked=asked)
    assert (decision.allow, decision.reason, decision.subject) == (True, Reason.ALLOWED_BY_RULE, subject)
    assert decision.principal is not None
    assert decision.principal.tenant == TENANT
    assert decision.principal.object_id == claims["oid"]
    assert decision.principal.client_id == claims.get("appid", claims.get("azp"))
    assert asked == [V1_KEYS if claims["ver"] == "1.0" else V2_KEYS]


def test_its_rule_set_is_all_that_it_may(policy: Policy) -> None:
    decision = decided(policy, token(app_claims()), target=b"/api/2.0/sql/warehouses")
    assert (decision.allow, decision.reason, decision.subject) == (False, Reason.NO_RULE_MATCHES, "etl")


def elsewhere(issuer: str, **more: Any) -> dict[str, Any]:
    return app_claims(iss=issuer, **more)


STRANGE = rf"https://sts.windows.net/{OTHER_TENANT}/"
HS256 = jwt.encode(app_claims(), b"x" * 32, "HS256", {"kid": "key-1"}).encode()
MALFORMED, AMBIGUOUS = Reason.MALFORMED_TOKEN, Reason.AMBIGUOUS_PRINCIPAL
ISSUER, TENANT_WRONG, AUDIENCE = Reason.WRONG_ISSUER, Reason.WRONG_TENANT, Reason.WRONG_AUDIENCE
BAD = {
    "another tenant, v1": (token(elsewhere(STRANGE, tid=OTHER_TENANT)), TENANT_WRONG),
    "another tenant, v2": (
        token(
            app_claims("2.0", iss=f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0", tid=OTHER_TENANT)
        ),
        TENANT_WRONG,
    ),
    "the tenant of all personal accounts": (
        token(person_claims("2.0", iss=f"https://login.microsoftonline.com/{CONSUMERS}/v2.0", tid=CONSUMERS)),
        TENANT_WRONG,
    ),
    "the tenant in another cloud": (
        token(app_claims("2.0", iss=f"https://login.microsoftonline.us/{TENANT}/v2.0")),
        TENANT_WRONG,
    ),
    "the tenant in China": (token(elsewhere(f"https://sts.chinacloudapi.cn/{TENANT}/")), TENANT_WRONG),
    "another tenant's tid": (token(app_claims(tid=OTHER_TENANT)), AMBIGUOUS),
    "this tenant's tid by another's issuer": (token(elsewhere(STRANGE)), AMBIGUOUS),
    "no tid": (token(app_claims(tid=None)), AMBIGUOUS),
    "tid in capitals": (token(app_claims(tid=TENANT.upper())), AMBIGUOUS),
    "tid as a list": (token(app_claims(tid=[TENANT])), AMBIGUOUS),
    "v1 without its slash": (token(elsewhere(V1.rstrip("/"))), ISSUER),
    "v1 with two slashes": (token(elsewhere(V1 + "/")), ISSUER),
    "v2 with a slash": (token(app_claims("2.0", iss=V2 + "/")), ISSUER),
    "v2 without its version": (token(app_claims("2.0", iss=V2.removesuffix("/v2.0"))), ISSUER),
    "v2 with another version": (token(app_claims("2.0", iss=V2.replace("v2.0", "v2x0"))), ISSUER),
    "the issuer in capitals": (token(elsewhere(V1.upper())), ISSUER),
    "the tenant in capitals": (token(elsewhere(V1.replace(TENANT, TENANT.upper()))), ISSUER),
    "in the clear": (token(elsewhere(V1.replace("https", "http"))), ISSUER),
    "with a port": (token(elsewhere(V1.replace(".net", ".net:443"))), ISSUER),
    "with a user": (token(elsewhere(V1.replace("https://", "https://x@"))), ISSUER),
    "a host that ends the same": (token(elsewhere(V1.replace("sts.", "xsts."))), ISSUER),
    "a host that begins the same": (token(elsewhere(V1.replace(".net", ".net.example.com"))), ISSUER),
    "common": (token(app_claims("2.0", iss="https://login.microsoftonline.com/common/v2.0")), ISSUER),
    "the placeholder of a tenant": (
        token(app_claims("2.0", iss="https://login.microsoftonline.com/{tenantid}/v2.0")),
        ISSUER,
    ),
    "v1 on the host of v2": (token(elsewhere(f"https://login.microsoftonline.com/{TENANT}/")), ISSUER),
    "another application's audience": (token(app_claims(aud=APPLICATION)), AUDIENCE),
    "the audience of Azure's management": (
        token(app_claims(aud="https://management.core.windows.net/")),
        AUDIENCE,
    ),
    "no audience": (token(app_claims(aud=None)), AUDIENCE),
    "an empty audience": (token(app_claims(aud="")), AUDIENCE),
    "two audiences": (token(app_claims(aud=[RESOURCE, APPLICATION])), AUDIENCE),
    "one audience as a list": (token(app_claims(aud=[RESOURCE])), AUDIENCE),
    "the audience in capitals": (token(app_claims(aud=RESOURCE.upper())), AUDIENCE),
    "the audience with a tail": (token(app_claims(aud=f"{RESOURCE}/")), AUDIENCE),
    "the audience as a URI": (token(app_claims(aud=f"api://{RESOURCE}")), AUDIENCE),
    "no object id": (token(app_claims(oid=None)), MALFORMED),
    "the object id in capitals": (token(app_claims(oid=OBJECT.upper(), sub=OBJECT.upper())), MALFORMED),
    "the object id with a blank": (token(app_claims(oid=f"{OBJECT} ")), MALFORMED),
    "the object id with a line end": (token(app_claims(oid=f"{OBJECT}\n")), MALFORMED),
    "the object id as a list": (token(app_claims(oid=[OBJECT])), MALFORMED),
    "the object id without its dashes": (token(app_claims(oid=OBJECT.replace("-", ""))), MALFORMED),
    "another application's object id": (
        token(app_claims(oid=OTHER_OBJECT, sub=OTHER_OBJECT)),
        Reason.UNKNOWN_PRINCIPAL,
    ),
    "another person": (token(person_claims(oid=OTHER_OBJECT)), Reason.UNKNOWN_PRINCIPAL),
    "a person with an application's object id": (
        token(person_claims(oid=OBJECT)),
        Reason.UNKNOWN_PRINCIPAL,
    ),
    "an application with a person's object id": (
        token(app_claims(oid=PERSON, sub=PERSON)),
        Reason.UNKNOWN_PRINCIPAL,
    ),
    "a person by the application id": (
        token(person_claims(oid=OTHER_OBJECT, appid=OTHER_APPLICATION)),
        Reason.UNKNOWN_PRINCIPAL,
    ),
    "two subjects, one by each id": (token(app_claims(appid=OTHER_APPLICATION)), AMBIGUOUS),
    "no application id": (token(app_claims(appid=None)), MALFORMED),
    "no application id of a person": (token(person_claims(appid=None)), MALFORMED),
    "the application id of the other version": (token(app_claims(appid=None, azp=APPLICATION)), AMBIGUOUS),
    "application ids of both versions": (token(app_claims(azp=OTHER_APPLICATION)), AMBIGUOUS),
    "no version": (token(app_claims(ver=None)), AMBIGUOUS),
    "the version of the other issuer": (token(app_claims(ver="2.0")), AMBIGUOUS),
    "the version as a number": (token(app_claims(ver=1.0)), AMBIGUOUS),
    "scp that is empty": (token(app_claims(scp="")), AMBIGUOUS),
    "scp that is blank": (token(person_claims(scp=" ")), AMBIGUOUS),
    "scp that is a list": (token(person_claims(scp=["user_impersonation"])), AMBIGUOUS),
    "scp that is null": (
        unsigned('{"alg":"RS256","kid":"key-1"}', json.dumps({**app_claims(), "scp": None})),
        AMBIGUOUS,
    ),
    "scp beside an application's own sub": (token(app_claims(scp="user_impersonation")), AMBIGUOUS),
    "scopes of what says it is an application": (token(person_claims(idtyp="app")), AMBIGUOUS),
    "no scopes of what says it is a person": (token(app_claims(idtyp="user")), AMBIGUOUS),
    "a device": (token(app_claims(idtyp="device")), AMBIGUOUS),
    "a kind in capitals": (token(app_claims(idtyp="APP")), AMBIGUOUS),
    "a kind that is empty": (token(app_claims(idtyp="")), AMBIGUOUS),
    "an application with a login name": (token(app_claims(upn="ada@example.com")), AMBIGUOUS),
    "an application with a shown name": (token(app_claims(unique_name="etl")), AMBIGUOUS),
    "an application with a preferred name": (token(app_claims("2.0", preferred_username="etl")), AMBIGUOUS),
    "an application with an address": (token(app_claims(email="etl@example.com")), AMBIGUOUS),
    "a person's token without its scopes": (token(person_claims(scp=None)), AMBIGUOUS),
    "an application whose sub is not its oid": (token(app_claims(sub=OTHER_OBJECT)), AMBIGUOUS),
    "no sub": (token(app_claims(sub=None)), MALFORMED),
    "the key of another tenant": (token(app_claims(), key=OTHER_KEY), Reason.BAD_SIGNATURE),
    "a key that nobody publishes": (token(app_claims(), kid="key-2"), Reason.UNKNOWN_KEY),
    "a curve's key for one that is none": (token(app_claims(), key=EC_KEY), Reason.BAD_SIGNATURE),
    "a secret instead of a key": (HS256, Reason.ALGORITHM_REFUSED),
    "no signature": (
        unsigned('{"alg":"none","kid":"key-1"}', json.dumps(app_claims())),
        Reason.ALGORITHM_REFUSED,
    ),
    "a signature that is none": (
        unsigned('{"alg":"RS256","kid":"key-1"}', json.dumps(app_claims())),
        Reason.BAD_SIGNATURE,
    ),
    "a token of yesterday": (token(app_claims(exp=NOW - 1)), Reason.TOKEN_EXPIRED),
    "a token of tomorrow": (token(app_claims(nbf=NOW + 3600)), Reason.TOKEN_NOT_YET_VALID),
    "the tenant twice": (
        unsigned(
            '{"alg":"RS256","kid":"key-1"}',
            json.dumps(app_claims())[:-1] + f', "tid": "{OTHER_TENANT}"' + "}",
        ),
        MALFORMED,
    ),
}
EVERY_MODE = {name: case for name, case in BAD.items() if case[1].kind is Kind.READING}


@pytest.mark.parametrize(("bearer", "reason"), BAD.values(), ids=BAD)
def test_nobodys_token_is_refused_with_its_reason(bearer: bytes, reason: Reason, policy: Policy) -> None:
    decision = decided(policy, bearer)
    assert (decision.reason, decision.forwards, decision.subject) == (reason, False, None)
    assert bearer.split(b".")[1].decode() not in decision.detail


@pytest.mark.parametrize(("bearer", "reason"), EVERY_MODE.values(), ids=EVERY_MODE)
def test_what_leaves_open_whose_it_is_is_refused_in_monitor_too(
    bearer: bytes, reason: Reason, tmp_path: Path
) -> None:
    decision = decided(load(tmp_path, POLICY + "mode: monitor\n"), bearer)
    assert (decision.reason, decision.forwards) == (reason, False)


def test_tokens_of_a_stranger_make_the_proxy_fetch_nothing(policy: Policy) -> None:
    for name in ("another tenant, v1", "another application's audience", "another person", "common"):
        asked: list[str] = []
        decided(policy, BAD[name][0], asked=asked)
        assert asked == [], name


def test_a_tenant_counts_on_the_workspaces_of_its_cloud_alone(policy: Policy) -> None:
    for host in ("dbc-a1b2c3d4-e5f6.cloud.databricks.com", "adb-1.7.databricks.azure.us"):
        assert decided(policy, token(app_claims()), host=host).reason is Reason.WRONG_ISSUER


def test_a_key_of_one_tenant_signs_for_no_other(policy: Policy) -> None:
    for tenant, reason in (
        (OTHER_TENANT, Reason.BAD_SIGNATURE),
        (CONSUMERS, Reason.BAD_SIGNATURE),
        (TENANT, Reason.ALLOWED_BY_RULE),
    ):
        keys = key_set(jwk(issuer=f"https://login.microsoftonline.com/{tenant}/v2.0"))
        assert decided(policy, token(app_claims()), {V1_KEYS: keys}).reason is reason


def test_keys_from_a_file_are_not_fetched(tmp_path: Path) -> None:
    text = POLICY.replace(f"tenant: {TENANT}\n", f"tenant: {TENANT}\n    keys_file: entra.jwks.json\n", 1)
    asked: list[str] = []
    known = load(tmp_path, text, entra=key_set())
    assert decided(known, token(app_claims("2.0")), {}, asked=asked).allow
    assert asked == []


CLOUDS = {
    "public": (HOST, V1, V1_KEYS, V2, V2_KEYS),
    "us_government": (
        "adb-1234567890123456.7.databricks.azure.us",
        V1,
        V1_KEYS.replace(".com", ".us"),
        V2.replace(".com", ".us"),
        V2_KEYS.replace(".com", ".us"),
    ),
    "china": (
        "adb-1234567890123456.7.databricks.azure.cn",
        f"https://sts.chinacloudapi.cn/{TENANT}/",
        V1_KEYS.replace("login.microsoftonline.com", "login.partner.microsoftonline.cn"),
        V2.replace("login.microsoftonline.com", "login.partner.microsoftonline.cn"),
        V2_KEYS.replace("login.microsoftonline.com", "login.partner.microsoftonline.cn"),
    ),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_has_issuers_and_keys_of_its_own(cloud: str, tmp_path: Path) -> None:
    host, v1, v1_keys, v2, v2_keys = CLOUDS[cloud]
    known = load(
        tmp_path, POLICY.replace(f"tenant: {TENANT}\n", f"tenant: {TENANT}\n    cloud: {cloud}\n", 1)
    )
    documents = {v1_keys: key_set(), v2_keys: key_set()}
    for claims in (app_claims(iss=v1), app_claims("2.0", iss=v2)):
        assert decided(known, token(claims), documents, host).allow
        assert decided(known, token(claims), {}, host).reason is Reason.KEY_SET_UNAVAILABLE


def test_object_id_and_application_id_have_to_be_right_both(tmp_path: Path) -> None:
    known = load(tmp_path, POLICY.replace(f"{OBJECT}\n", f"{OBJECT}\n    application_id: {APPLICATION}\n", 1))
    assert decided(known, token(app_claims())).subject == "etl"
    other = token(app_claims(appid=PERSON))
    assert decided(known, other).reason is Reason.UNKNOWN_PRINCIPAL


def test_a_service_principal_may_be_known_by_databricks_tokens_too(tmp_path: Path) -> None:
    known = load(
        tmp_path, POLICY.replace(f"{OBJECT}\n", f"{OBJECT}\n    client_id: {APPLICATION}\n", 1)
    ).principals
    assert known.service_principals[APPLICATION] is known.entra[next(iter(known.entra))]


def test_claims_of_a_workspace_are_not_taken_for_those_of_entra_id(tmp_path: Path) -> None:
    """A workspace of somebody else's can write into its tokens what it likes, under its own issuer."""
    known = load(tmp_path)
    own = f"https://{HOST}/oidc"
    bearer = token(app_claims(iss=own, client_id=APPLICATION))
    decision = decided(known, bearer, {f"{own}/jwks.json": key_set()})
    assert decision.reason is Reason.UNKNOWN_PRINCIPAL
