"""Whose a token of Microsoft Entra ID is, claim by claim, and which issuers are its own."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.entra import (
    CLOUDS,
    Authority,
    Identity,
    is_entra,
    issuers_of,
    read_authority,
    read_identity,
)
from brickscope.core.reason import Reason
from core.entra_tokens import (
    CLI,
    OTHER_APPLICATION,
    OTHER_OBJECT,
    OTHER_TENANT,
    PERSON,
    V1,
    V2,
    app_claims,
    person_claims,
)
from core.refusal import refusal
from lab.workspace.entra import APPLICATION, OBJECT, TENANT

PAIRWISE = "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA"
AUTHORITIES = {"1.0": Authority(TENANT, "1.0"), "2.0": Authority(TENANT, "2.0")}
CLIENT = {"1.0": "appid", "2.0": "azp"}
OTHER_CLIENT = {"1.0": "azp", "2.0": "appid"}


@pytest.mark.parametrize("version", AUTHORITIES)
def test_an_application_and_a_person_are_told_apart(version: str) -> None:
    of = AUTHORITIES[version]
    assert read_identity(app_claims(version), of) == Identity(OBJECT, APPLICATION, OBJECT)
    assert read_identity(app_claims(version, idtyp="app"), of) == Identity(OBJECT, APPLICATION, OBJECT)
    assert read_identity(person_claims(version), of) == Identity(PERSON, CLI, PAIRWISE)
    assert read_identity(person_claims(version, idtyp="user"), of) == Identity(PERSON, CLI, PAIRWISE)


AMBIGUOUS = {
    "another tenant": {"tid": OTHER_TENANT},
    "no tenant": {"tid": None},
    "another version": {"ver": "3.0"},
    "no version": {"ver": None},
    "an application's, of another object": {"sub": OTHER_OBJECT},
    "an application's, that says it is a person's": {"idtyp": "user"},
    "an application's, of a kind that is none": {"idtyp": 1},
    "an application's with a user name": {"upn": "ada@example.com"},
    "an application's with a unique name": {"unique_name": "ada@example.com"},
    "an application's with a preferred name": {"preferred_username": "ada@example.com"},
    "an application's with an address": {"email": "ada@example.com"},
    "an application's with a scope": {"scp": "user_impersonation"},
    "a person's without a scope": {"scp": ""},
    "a person's whose scope is a blank": {"scp": " "},
    "a person's whose scope is no text": {"scp": ["user_impersonation"]},
    "a person's that says it is an application's": {"scp": "x", "sub": PAIRWISE, "idtyp": "app"},
}
MALFORMED = {
    "no object": {"oid": None},
    "an object that is not a GUID": {"oid": "x"},
    "an object in capitals": {"oid": OBJECT.upper().replace("0", "A", 1)},
    "an object with more behind it": {"oid": OBJECT + "0"},
    "an object that is a number": {"oid": 5},
    "no sub": {"sub": None},
    "a sub that is a list": {"sub": [OBJECT]},
}


@pytest.mark.parametrize("version", AUTHORITIES)
@pytest.mark.parametrize("changes", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_token_that_leaves_open_whose_it_is(version: str, changes: dict[str, Any]) -> None:
    found = refusal(read_identity, app_claims(version, **changes), AUTHORITIES[version])
    assert found[0] is Reason.AMBIGUOUS_PRINCIPAL


@pytest.mark.parametrize("version", AUTHORITIES)
def test_a_token_with_the_client_of_the_other_version_too(version: str) -> None:
    changes = {OTHER_CLIENT[version]: OTHER_APPLICATION}
    for claims in (app_claims(version, **changes), person_claims(version, **changes)):
        assert refusal(read_identity, claims, AUTHORITIES[version])[0] is Reason.AMBIGUOUS_PRINCIPAL


@pytest.mark.parametrize("version", AUTHORITIES)
@pytest.mark.parametrize("changes", MALFORMED.values(), ids=MALFORMED)
def test_a_token_whose_ids_are_none(version: str, changes: dict[str, Any]) -> None:
    found = refusal(read_identity, app_claims(version, **changes), AUTHORITIES[version])
    assert found[0] is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("version", AUTHORITIES)
def test_a_token_without_a_client(version: str) -> None:
    claims = app_claims(version, **{CLIENT[version]: None})
    assert refusal(read_identity, claims, AUTHORITIES[version])[0] is Reason.MALFORMED_TOKEN


ISSUERS = {
    V1: AUTHORITIES["1.0"],
    V2: AUTHORITIES["2.0"],
    f"https://sts.chinacloudapi.cn/{TENANT}/": AUTHORITIES["1.0"],
    f"https://login.microsoftonline.us/{TENANT}/v2.0": AUTHORITIES["2.0"],
    V1.removesuffix("/"): None,
    f"{V2}/": None,
    f"https://login.microsoftonline.com/{TENANT}/": None,
    f"https://sts.windows.net/{TENANT}/v2.0": None,
    f"https://sts.windows.net.evil.org/{TENANT}/": None,
    f"http://sts.windows.net/{TENANT}/": None,
    "https://login.microsoftonline.com/common/v2.0": None,
    "https://sts.windows.net//": None,
    f"{V1}x": None,
    f"x{V1}": None,
}


@pytest.mark.parametrize(
    ("cloud", "sts", "login"),
    [
        ("public", "sts.windows.net", "login.microsoftonline.com"),
        ("us_government", "sts.windows.net", "login.microsoftonline.us"),
        ("china", "sts.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
    ],
)
def test_the_issuers_of_a_tenant_and_their_keys(cloud: str, sts: str, login: str) -> None:
    found = issuers_of(CLOUDS[cloud], TENANT)
    assert found == [
        (f"https://{sts}/{TENANT}/", f"https://{login}/{TENANT}/discovery/keys"),
        (f"https://{login}/{TENANT}/v2.0", f"https://{login}/{TENANT}/discovery/v2.0/keys"),
    ]
    assert [read_authority(issuer) for issuer, _ in found] == [*AUTHORITIES.values()]
    zones = {
        "public": "azuredatabricks.net",
        "us_government": "databricks.azure.us",
        "china": "databricks.azure.cn",
    }
    assert CLOUDS[cloud].zone == zones[cloud]


@pytest.mark.parametrize(("issuer", "authority"), ISSUERS.items())
def test_an_issuer_is_compared_byte_for_byte(issuer: str, authority: Authority | None) -> None:
    assert read_authority(issuer) == authority


@pytest.mark.parametrize(
    ("url", "is_its"),
    [
        ("https://login.microsoftonline.com/common", True),
        ("https://STS.windows.net/x", True),
        ("https://login.windows.net/", True),
        ("https://login.microsoftonline.com.evil.org/", False),
        ("https://evil.org/login.microsoftonline.com", False),
        ("nothing", False),
    ],
)
def test_which_urls_are_on_a_host_of_entra(url: str, is_its: bool) -> None:
    assert is_entra(url) is is_its
