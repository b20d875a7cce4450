"""From claims to a subject, and which issuer counts where."""

from __future__ import annotations

import pytest

from brickscope.core.decision import Refused
from brickscope.core.hostname import HostPatterns
from brickscope.core.issuer import key_source
from brickscope.core.jwt_token import Claims
from brickscope.core.policy import Issuer, Principals, RuleSet, Subject
from brickscope.core.principal import match_claims
from brickscope.core.reason import Reason
from brickscope.core.rule import RuleTable
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
}


@pytest.mark.parametrize(("client_id", "sub", "reason"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_nobody_or_not_only_one(client_id: str, sub: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        match_claims(KNOWN, claims(client_id, sub))
    assert refused.value.reason is reason


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
}


@pytest.mark.parametrize(("issuer", "host", "url"), COUNTS.values(), ids=COUNTS)
def test_an_issuer_is_bound_to_its_host(issuer: str, host: str, url: str | None) -> None:
    if url is None:
        with pytest.raises(Refused) as refused:
            key_source(NAMED, issuer, host)
        assert refused.value.reason is Reason.WRONG_ISSUER
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
            with pytest.raises(Refused, match="accounts share a host"):
                match_claims(known, token)
        machine = claims("sp-1", "sp-1")._replace(issuer=issuer)
        assert match_claims(known, machine) is ETL


def test_an_account_counts_on_its_own_host_unless_the_policy_says_where() -> None:
    assert key_source(Principals(), ACCOUNT, "accounts.cloud.databricks.com").url == f"{ACCOUNT}/jwks.json"
