"""From claims to a subject, and which issuer counts where."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.decision import Principal, Refused
from brickscope.core.hostname import HostPatterns
from brickscope.core.issuer import KeySource, is_shared, key_source
from brickscope.core.jwt_token import Claims
from brickscope.core.key import read_key_set
from brickscope.core.pending import NotYetKnown
from brickscope.core.policy import EntraKey, Issuer, Mode, Policy, Principals, RuleSet, Subject
from brickscope.core.principal import find_principal, match_claims
from brickscope.core.reason import Reason
from brickscope.core.rule import RuleTable
from core.oauth import key_set
from core.refusal import refusal, tried
from core.wire import HOST

RULES = RuleSet("r", RuleTable([]), RuleTable([]))
ETL, OTHER, ALICE = (Subject(name, RULES) for name in ("etl", "other", "alice"))
KNOWN = Principals({"sp-1": ETL, "sp-2": OTHER}, {"alice@example.com": ALICE, "svc-login": ALICE})


def claims(client_id: str | None, sub: str | None) -> Claims:
    return Claims(f"https://{HOST}/oidc", "k", "RS256", client_id, sub, 9e9, 0.0)


FOUND = {
    "a service principal's own token": ("sp-1", "sp-1", ETL),
    "a subject that is something else": ("sp-1", "1234567890", ETL),
    "a client alone": ("sp-1", None, ETL),
    "a federated service principal": ("federation", "sp-2", OTHER),
    "a user of the command line": ("databricks-cli", "alice@example.com", ALICE),
    "a user without a client": (None, "alice@example.com", ALICE),
    "a user whose name is no address": ("databricks-cli", "svc-login", ALICE),
}


@pytest.mark.parametrize(("client_id", "sub", "expected"), FOUND.values(), ids=FOUND)
def test_whose_token_it_is(client_id: str | None, sub: str | None, expected: Subject) -> None:
    assert match_claims(KNOWN, claims(client_id, sub)) is expected


NOT_FOUND = {
    "nobody known": ("sp-3", "sp-3", Reason.UNKNOWN_PRINCIPAL),
    "a user nobody named": ("databricks-cli", "bob@example.com", Reason.UNKNOWN_PRINCIPAL),
    "an unknown user under a known client": ("sp-1", "bob@example.com", Reason.UNKNOWN_PRINCIPAL),
    "a known user under a known service principal": ("sp-1", "alice@example.com", Reason.AMBIGUOUS_PRINCIPAL),
    "two service principals": ("sp-1", "sp-2", Reason.AMBIGUOUS_PRINCIPAL),
    "a client id in other letters": ("SP-1", "SP-1", Reason.UNKNOWN_PRINCIPAL),
    "a client nobody named, without a subject": ("sp-3", None, Reason.UNKNOWN_PRINCIPAL),
    "a subject nobody named, without a client": (None, "sp-3", Reason.UNKNOWN_PRINCIPAL),
    "a user under a service principal that was federated": (
        "alice@example.com",
        "sp-3",
        Reason.UNKNOWN_PRINCIPAL,
    ),
}


@pytest.mark.parametrize(("client_id", "sub", "reason"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_nobody_or_not_only_one(client_id: str | None, sub: str | None, reason: Reason) -> None:
    found, detail = refusal(match_claims, KNOWN, claims(client_id, sub))
    assert found is reason
    if reason is Reason.AMBIGUOUS_PRINCIPAL:
        assert detail == "the token's client_id and sub name two subjects of the policy"
    elif sub is not None and "@" in sub:
        assert detail == f"the policy names no user {sub!r}"
    else:
        assert detail == f"the policy names no service principal {client_id or sub!r}"


OBJECT, APP, TENANT = "object", "application", "tenant"
OF_ENTRA: dict[str, tuple[list[tuple[EntraKey, Subject]], str, Subject | str]] = {
    "an application by both ids": ([(EntraKey(TENANT, OBJECT, APP, is_user=False), ETL)], OBJECT, ETL),
    "an application by its object": ([(EntraKey(TENANT, OBJECT, None, is_user=False), ETL)], OBJECT, ETL),
    "an application by its own id": ([(EntraKey(TENANT, None, APP, is_user=False), ETL)], OBJECT, ETL),
    "one by all of them": (
        [
            (EntraKey(TENANT, OBJECT, APP, is_user=False), ETL),
            (EntraKey(TENANT, None, APP, is_user=False), ETL),
        ],
        OBJECT,
        ETL,
    ),
    "two": (
        [
            (EntraKey(TENANT, OBJECT, None, is_user=False), ETL),
            (EntraKey(TENANT, None, APP, is_user=False), OTHER),
        ],
        OBJECT,
        "the token's object id and application id name two subjects of the policy",
    ),
    "a person": ([(EntraKey(TENANT, OBJECT, None, is_user=True), ALICE)], "person", ALICE),
    "a person, by the application that acts for her": (
        [(EntraKey(TENANT, None, APP, is_user=False), ETL)],
        "person",
        "the policy names no user with tenant tenant object object",
    ),
    "an application that has the id of a person": (
        [(EntraKey(TENANT, OBJECT, None, is_user=True), ALICE)],
        OBJECT,
        "the policy names no service principal with tenant tenant object object application application",
    ),
    "one of another tenant": (
        [(EntraKey("other", OBJECT, APP, is_user=False), ETL)],
        OBJECT,
        "the policy names no service principal with tenant tenant object object application application",
    ),
}


@pytest.mark.parametrize(("known", "sub", "expected"), OF_ENTRA.values(), ids=OF_ENTRA)
def test_whose_token_of_entra_it_is(
    known: list[tuple[EntraKey, Subject]], sub: str, expected: Subject | str
) -> None:
    token = Claims("https://i", "k", "RS256", APP, sub, 9e9, 0.0, None, TENANT, OBJECT)
    principals = Principals(entra=dict(known))
    if isinstance(expected, Subject):
        assert match_claims(principals, token) is expected
    else:
        reason = Reason.AMBIGUOUS_PRINCIPAL if "two" in expected else Reason.UNKNOWN_PRINCIPAL
        assert refusal(match_claims, principals, token) == (reason, expected)


def test_a_service_principal_under_two_names_is_one() -> None:
    known = Principals({"sp-1": ETL, "0000-app": ETL})
    assert match_claims(known, claims("sp-1", "0000-app")) is ETL


# -- a token and whoever can verify it --------------------------------------------------------------------------


class Verifier:
    """A directory that knows what a token claims, or why it does not count."""

    def __init__(self, answer: Claims | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[object, ...]] = []

    def verify(self, *asked: Any) -> Claims:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def workspace_of(self, host: str, now: float) -> str | None:
        raise AssertionError("no workspace is looked for here")


def policy(principals: Principals, mode: Mode = Mode.ENFORCE) -> Policy:
    return Policy({}, {}, mode, "rev", principals)


ASKED = (b"eyJx", "sha256:ff", HOST, 5.0)
ONLY_MACHINES, ONLY_PEOPLE = Principals({"sp-1": ETL}), Principals({}, {"alice@example.com": ALICE})


@pytest.mark.parametrize("known", [ONLY_MACHINES, ONLY_PEOPLE, KNOWN], ids=["machines", "people", "both"])
def test_a_token_is_verified_where_somebody_can_be_found(known: Principals) -> None:
    found = claims("sp-1", None) if known.service_principals else claims(None, "alice@example.com")
    verifier = Verifier(found)
    subject, principal = find_principal(policy(known), *ASKED, verifier)
    assert subject is (ETL if known.service_principals else ALICE)
    assert principal == Principal(found.issuer, found.client_id, found.sub)
    assert verifier.asked == [(policy(known), *ASKED)]


def test_of_a_token_of_entra_the_record_has_tenant_and_object() -> None:
    found = Claims("https://sts", "key", "RS256", APP, OBJECT, 9.0, 0.0, None, TENANT, OBJECT)
    known = Principals(entra={EntraKey(TENANT, OBJECT, APP, is_user=False): ETL})
    assert find_principal(policy(known), *ASKED, Verifier(found)) == (
        ETL,
        Principal("https://sts", APP, OBJECT, TENANT, OBJECT),
    )


def test_with_nobody_to_find_no_keys_are_fetched() -> None:
    verifier = Verifier(claims("sp-1", None))
    for directory, known in ((verifier, Principals()), (None, KNOWN), (None, Principals())):
        reason, detail = refusal(find_principal, policy(known), *ASKED, directory)
        assert (reason, detail) == (
            Reason.UNKNOWN_PRINCIPAL,
            "the policy names no service principal or user, so no OAuth token is accepted",
        )
    assert verifier.asked == []


def test_in_monitor_the_log_is_to_say_who_is_there() -> None:
    verifier = Verifier(claims("sp-9", None))
    found = tried(find_principal, policy(Principals(), Mode.MONITOR), *ASKED, verifier)
    assert isinstance(found, Refused)
    assert found.reason is Reason.UNKNOWN_PRINCIPAL
    assert found.principal == Principal(f"https://{HOST}/oidc", "sp-9", None)
    assert len(verifier.asked) == 1


def test_a_token_that_is_not_verified_is_nobodys() -> None:
    refused = Refused(Reason.BAD_SIGNATURE, "the signature is not by the key that it names")
    found = tried(find_principal, policy(KNOWN), *ASKED, Verifier(refused))
    assert found is refused
    assert refused.principal is None
    with pytest.raises(NotYetKnown, match="https://keys"):
        find_principal(policy(KNOWN), *ASKED, Verifier(NotYetKnown("https://keys")))


ACCOUNT = "https://accounts.cloud.databricks.com/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a"
NAMED = Principals(
    issuers={
        ACCOUNT: Issuer(ACCOUNT, HostPatterns([HOST])),
        "https://dbc-x.cloud.databricks.com/oidc": Issuer(
            "https://dbc-x.cloud.databricks.com/oidc",
            HostPatterns(["dbc-x.cloud.databricks.com"]),
            f"{ACCOUNT}/keys",
        ),
    }
)
COUNTS = {
    "a workspace on itself": (f"https://{HOST}/oidc", HOST, f"https://{HOST}/oidc/jwks.json"),
    "an account on its own host": (ACCOUNT, "accounts.cloud.databricks.com", None),
    "a named account on a workspace": (ACCOUNT, HOST, f"{ACCOUNT}/jwks.json"),
    "a named place of keys": (
        "https://dbc-x.cloud.databricks.com/oidc",
        "dbc-x.cloud.databricks.com",
        f"{ACCOUNT}/keys",
    ),
    "a named account elsewhere": (ACCOUNT, "dbc-y.cloud.databricks.com", None),
    "another workspace": ("https://dbc-y.cloud.databricks.com/oidc", HOST, None),
    "another scheme": (f"http://{HOST}/oidc", HOST, None),
    "another port": (f"https://{HOST}:8443/oidc", HOST, None),
    "a tail": (f"https://{HOST}/oidc/", HOST, None),
    "a longer host": (f"https://{HOST}.evil.example.com/oidc", HOST, None),
    "in capitals": (f"https://{HOST.upper()}/oidc", HOST, None),
    "an account's path that goes up": (f"https://{HOST}/oidc/accounts/../x", HOST, None),
    "an empty one": ("", HOST, None),
    "an account on a workspace itself": (
        f"https://{HOST}/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254b",
        HOST,
        f"https://{HOST}/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254b/jwks.json",
    ),
    "an account's path with a tail": (f"{ACCOUNT}/x", "accounts.cloud.databricks.com", None),
    "an account's path in capitals": (
        ACCOUNT.replace("0d26daa6", "0D26DAA6"),
        "accounts.cloud.databricks.com",
        None,
    ),
    "an account's path without its dashes": (
        ACCOUNT.replace("-", ""),
        "accounts.cloud.databricks.com",
        None,
    ),
}


@pytest.mark.parametrize(("issuer", "host", "url"), COUNTS.values(), ids=COUNTS)
def test_an_issuer_is_bound_to_its_host(issuer: str, host: str, url: str | None) -> None:
    if url is None:
        reason, detail = refusal(key_source, NAMED, issuer, host)
        assert reason is Reason.WRONG_ISSUER
        assert host in detail
    else:
        assert key_source(NAMED, issuer, host).url == url


def test_a_user_of_an_account_that_nobody_named_is_somebody_elses() -> None:
    other = "https://accounts.cloud.databricks.com/oidc/accounts/11111111-5e44-4c97-a497-ef015f91254a"
    for issuer, allowed in ((ACCOUNT, True), (other, False)):
        known = KNOWN._replace(issuers=NAMED.issuers)
        token = claims("databricks-cli", "alice@example.com")._replace(issuer=issuer)
        if allowed:
            assert match_claims(known, token) is ALICE
        else:
            assert refusal(match_claims, known, token) == (
                Reason.WRONG_ISSUER,
                "the token was issued by an account, and accounts share a host: name it under issuers",
            )
        machine = claims("sp-1", "sp-1")._replace(issuer=issuer)
        assert match_claims(known, machine) is ETL


def test_an_account_counts_on_its_own_host_unless_the_policy_says_where() -> None:
    assert key_source(Principals(), ACCOUNT, "accounts.cloud.databricks.com").url == f"{ACCOUNT}/jwks.json"


def test_keys_that_the_operator_gave_are_used() -> None:
    keys = read_key_set(key_set())
    given = Issuer(ACCOUNT, HostPatterns([HOST]), None, keys)
    assert key_source(Principals(issuers={ACCOUNT: given}), ACCOUNT, HOST) == KeySource(
        f"{ACCOUNT}/jwks.json", keys
    )
    assert key_source(NAMED, ACCOUNT, HOST) == KeySource(f"{ACCOUNT}/jwks.json", None)
    assert key_source(Principals(), f"https://{HOST}/oidc", HOST) == KeySource(
        f"https://{HOST}/oidc/jwks.json", None
    )


def test_which_issuers_share_a_host() -> None:
    assert is_shared(Principals(), ACCOUNT)
    assert not is_shared(NAMED, ACCOUNT)
    assert not is_shared(Principals(), f"https://{HOST}/oidc")
    assert not is_shared(NAMED, f"https://{HOST}/oidc")


def test_an_access_token_of_google_names_nobody() -> None:
    known = Policy({}, {}, Mode.ENFORCE, "rev")._replace(principals=KNOWN)
    found = refusal(find_principal, known, b"ya29.a0AfB_byC-abcdefghijklmnop", "sha256:0", HOST, 0, None)
    assert found[0] is Reason.UNKNOWN_PRINCIPAL
