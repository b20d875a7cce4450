"""Tenants of Entra ID and issuers with an audience in the policy: what is taken, and what is said when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.core.entra import CONSUMERS
from brickscope.core.policy import SAME_HOST
from brickscope.policy.load import load_policy
from brickscope.policy.problem import PolicyError
from core.entra_tokens import OTHER_TENANT, POLICY, V1, V1_KEYS, V2, V2_KEYS, load
from core.oauth import key_set
from lab.workspace.entra import APPLICATION, OBJECT, TENANT

SLASHED = "https://idp.example.org/realm/"


def with_issuer(url: str, *more: str) -> str:
    lines = "".join(f"    {line}\n" for line in (f"issuer: {url}", *more))
    return f"{POLICY}issuers:\n  corp:\n{lines}"


def test_a_tenant_is_two_issuers_with_the_audience_of_databricks(tmp_path: Path) -> None:
    issuers = load(tmp_path).principals.issuers
    assert {url: issuer.keys_url for url, issuer in issuers.items()} == {V1: V1_KEYS, V2: V2_KEYS}
    assert {issuer.audience for issuer in issuers.values()} == {"2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"}
    assert {issuer.hosts.patterns for issuer in issuers.values()} == {("*.azuredatabricks.net",)}


def test_an_issuer_is_taken_as_it_is_written(tmp_path: Path) -> None:
    for url in (SLASHED, SLASHED.rstrip("/"), "https://idp.example.org", "https://idp.example.org/"):
        assert url in load(tmp_path, with_issuer(url)).principals.issuers
    assert load(tmp_path, with_issuer("https://accounts.google.com", "audience: host")).principals.issuers[
        "https://accounts.google.com"
    ].audience == (SAME_HOST)


def test_everything_that_can_change_a_decision_changes_the_revision(tmp_path: Path) -> None:
    texts = (
        POLICY,
        POLICY.replace(TENANT, OTHER_TENANT),
        POLICY.replace(f"tenant: {TENANT}", f"tenant: {TENANT}\n    cloud: us_government"),
        POLICY.replace(f"tenant: {TENANT}", f"tenant: {TENANT}\n    hosts: [adb-1.7.azuredatabricks.net]"),
        POLICY.replace(f"tenant: {TENANT}", f"tenant: {TENANT}\n    keys_file: e.jwks.json"),
        POLICY.replace(f"object_id: {OBJECT}", f"application_id: {APPLICATION}"),
        POLICY.replace(f"object_id: {OBJECT}", f"object_id: {OBJECT}\n    application_id: {APPLICATION}"),
        with_issuer(SLASHED),
        with_issuer(SLASHED, "audience: host"),
        with_issuer(SLASHED, "audience: https://example.org"),
    )
    assert len({load(tmp_path, text, e=key_set()).revision for text in texts}) == len(texts)


def changed(old: str, new: str) -> str:
    assert old in POLICY
    return POLICY.replace(old, new, 1)


WHOLE = f"    tenant: company\n    object_id: {OBJECT}\n"
WRONG = {
    "common": (changed(TENANT, "common"), 4, "everybody has a token of this issuer", "write the GUID of one"),
    "organizations": (changed(TENANT, "organizations"), 4, "everybody has a token", "az account show"),
    "consumers in capitals": (changed(TENANT, "Consumers"), 4, "everybody has a token", "az account show"),
    "personal accounts": (changed(TENANT, CONSUMERS), 4, "everybody has a token", "az account show"),
    "a tenant's domain": (changed(TENANT, "example.onmicrosoft.com"), 4, "this is not a GUID", ""),
    "a tenant in capitals": (changed(TENANT, TENANT.upper()), 4, "in lower case", f"write {TENANT}"),
    "a cloud that is none": (
        changed(TENANT, f"{TENANT}\n    cloud: germany"),
        5,
        "'germany' is no cloud",
        "one of 'public', 'us_government' or 'china'",
    ),
    "a cloud that is nearly one": (
        changed(TENANT, f"{TENANT}\n    cloud: us-government"),
        5,
        "'us-government' is no cloud",
        "did you mean 'us_government'?",
    ),
    "one tenant twice": (
        changed("service_principals:", f"  other:\n    tenant: {TENANT}\nservice_principals:"),
        6,
        "the tenant is defined already in",
        "",
    ),
    "a place of keys": (
        changed(TENANT, f"{TENANT}\n    keys_url: https://example.org/keys"),
        5,
        "unknown key 'keys_url'",
        "",
    ),
    "an audience of its own": (
        changed(TENANT, f"{TENANT}\n    audience: {APPLICATION}"),
        5,
        "unknown key 'audience'",
        "",
    ),
    "a key file that is not there": (
        changed(TENANT, f"{TENANT}\n    keys_file: entra.jwks.json"),
        5,
        "there is no key file 'entra.jwks.json'",
        "put the file beside the policy file",
    ),
    "an issuer of Entra ID, v1": (with_issuer(V1), 25, "an issuer of Microsoft Entra ID", "under tenants:"),
    "an issuer of Entra ID, v2": (with_issuer(V2), 25, "an issuer of Microsoft Entra ID", "under tenants:"),
    "an issuer of Entra ID for all": (
        with_issuer("https://login.microsoftonline.com/common/v2.0"),
        25,
        "an issuer of Microsoft Entra ID",
        "under tenants:",
    ),
    "an issuer of Entra ID by an old name": (
        with_issuer(f"https://login.windows.net/{TENANT}/"),
        25,
        "an issuer of Microsoft Entra ID",
        "under tenants:",
    ),
    "an issuer with a port": (
        with_issuer("https://idp.example.org:8443/realm"),
        25,
        "an issuer is an https URL without port",
        "",
    ),
    "an issuer with two slashes": (
        with_issuer("https://idp.example.org/realm//"),
        25,
        "an issuer is an https URL",
        "",
    ),
    "Google without an audience": (
        with_issuer("https://accounts.google.com"),
        25,
        "Google issues ID tokens to everybody",
        "add audience: host",
    ),
    "an audience that is null": (with_issuer(SLASHED, "audience:"), 26, "the key has no value", ""),
    "a login name for an object id": (
        changed(OBJECT, "etl@example.com"),
        8,
        "a user principal name can be given to somebody else",
        "az ad user show",
    ),
    "an object id in capitals": (changed(OBJECT, OBJECT.upper()), 8, "in lower case", f"write {OBJECT}"),
    "an object id that is none": (changed(OBJECT, "etl"), 8, "this is not a GUID", ""),
    "a tenant that is none": (
        changed("tenant: company\n    object_id", "tenant: compani\n    object_id"),
        7,
        "there is no tenant 'compani'",
        "did you mean 'company'?",
    ),
    "a GUID where the tenant's name is due": (
        changed("tenant: company\n    object_id", f"tenant: {TENANT}\n    object_id"),
        7,
        "there is no tenant",
        "define it under tenants:",
    ),
    "nothing that says who": (
        changed(f"    object_id: {OBJECT}\n", ""),
        6,
        "the id in the tenant is missing",
        "add object_id: or application_id:",
    ),
    "nothing that says whose tokens": (
        changed(WHOLE, ""),
        6,
        "the issuer of these tokens is missing",
        "add client_id:, or tenant: and object_id or application_id:",
    ),
    "an object id without its tenant": (
        changed(WHOLE, f"    object_id: {OBJECT}\n"),
        6,
        "object_id is of somebody in a tenant",
        "add tenant: and a name under tenants:",
    ),
    "an application id of a person": (
        changed("users:\n  ada:\n", f"users:\n  ada:\n    application_id: {APPLICATION}\n"),
        16,
        "a person is identified by object id only",
        "a person has tenant: and object_id:",
    ),
    "one object id for two": (
        changed("  deploy:\n", f"  twin:\n{WHOLE}    rule_set: reader\n  deploy:\n"),
        11,
        "the id in the tenant belongs to another service principal already",
        "",
    ),
    "a secret for an application id": (
        changed(f"object_id: {OBJECT}", "application_id: hunter2~hunter2hunter2"),
        8,
        "this is not a GUID",
        "",
    ),
}


@pytest.mark.parametrize(("text", "line", "message", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(text: str, line: int, message: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as raised:
        load(tmp_path, text)
    said = str(raised.value)
    assert f"p.yaml:{line}:" in said
    assert message in said
    assert hint in said
    assert "hunter2" not in said


def test_a_person_of_a_tenant_counts_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    assert [str(each) for each in load_policy(tmp_path, 0).warnings] == []
