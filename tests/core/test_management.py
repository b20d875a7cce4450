"""Azure's second token, as the core judges it: whose it may be, for which workspace, and what a refusal is."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from brickscope.core.decide import decide, decide_for
from brickscope.core.decision import Principal, Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.hostname import HostPatterns
from brickscope.core.issuer import check_audience
from brickscope.core.jwt_token import Claims
from brickscope.core.placeholder import make_placeholder
from brickscope.core.policy import SAME_HOST, Issuer, Mode, Policy, Principals, RuleSet, Subject
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from brickscope.core.rule import RuleTable, parse_rule
from core.refusal import refusal
from core.wire import TOKEN, h1
from lab.workspace.entra import APPLICATION, HOST, OBJECT, RESOURCE_ID, TENANT

NOW = 1000.0
ISSUER = f"https://sts.windows.net/{TENANT}/"
SECOND = b"eyJhbGciOiJSUzI1NiJ9.eyJzZWNvbmQiOjF9.c2lnbmF0dXJl"
RULES = RuleSet("r", RuleTable([parse_rule("GET /api/2.0/x")]), RuleTable([]))
OWN_RESOURCE = RESOURCE_ID.lower()
ETL = Subject("etl", RULES, azure_resource=OWN_RESOURCE)
FIRST = Principal(ISSUER, APPLICATION, OBJECT, TENANT, OBJECT)
CLAIMS = Claims(ISSUER, "k", "RS256", APPLICATION, OBJECT, 9e9, 0.0, None, TENANT, OBJECT)
POLICY = Policy({}, {"r": RULES}, Mode.ENFORCE, "rev", Principals({"etl": ETL}))


class Directory:
    """Has one answer on every token, and says what it was asked."""

    def __init__(self, answer: Claims | Refused = CLAIMS) -> None:
        self.answer, self.asked = answer, list[Any]()

    def verify(self, *asked: Any, management: bool = False) -> Claims:
        self.asked.append((*asked, management))
        if isinstance(self.answer, Refused):
            raise self.answer
        return self.answer

    def workspace_of(self, host: str, now: float) -> str | None:
        raise AssertionError


def call(resource: str | None = RESOURCE_ID, bearer: bytes = TOKEN) -> ApiRequest:
    fields = [
        (b"Host", HOST.encode()),
        (b"Authorization", b"Bearer " + bearer),
        (b"X-Databricks-Azure-SP-Management-Token", SECOND),
    ]
    if resource is not None:
        fields.append((b"X-Databricks-Azure-Workspace-Resource-Id", resource.encode()))
    return read_request(h1(b"GET", b"/api/2.0/x", fields, tunnel_host=HOST, server_name=HOST))


@pytest.mark.parametrize("resource", [RESOURCE_ID, RESOURCE_ID.upper(), None])
def test_ones_own_is_let_through_and_on_record(resource: str | None) -> None:
    directory = Directory()
    decision = decide_for(
        POLICY, ETL, call(resource), "10.0.0.1", NOW, directory, fingerprint="f", principal=FIRST
    )
    assert (decision.allow, decision.subject, decision.fingerprint) == (True, "etl", "f")
    assert decision.principal == FIRST._replace(azure_resource=OWN_RESOURCE)
    assert directory.asked == [(POLICY, SECOND, fingerprint(SECOND), HOST, NOW, True)]


OTHER = "eeeeeeee-0000-4000-8000-000000000009"
REFUSED: dict[str, tuple[Subject, Principal | None, Claims | Refused | None, str | None, str]] = {
    "the policy gives none": (
        ETL._replace(azure_resource=None),
        FIRST,
        CLAIMS,
        None,
        "the policy gives 'etl' no azure_resource, which such a token requires",
    ),
    "nobody can verify it": (ETL, FIRST, None, None, "the first one is not a verified token of Entra ID"),
    "the first one is no OAuth token": (
        ETL,
        None,
        CLAIMS,
        None,
        "the first one is not a verified token of Entra ID",
    ),
    "the first one is of Databricks": (
        ETL,
        FIRST._replace(tenant=None),
        CLAIMS,
        None,
        "the first one is not a verified token of Entra ID",
    ),
    "for another workspace": (
        ETL,
        FIRST,
        CLAIMS,
        RESOURCE_ID + "x",
        "X-Databricks-Azure-Workspace-Resource-Id is not the azure_resource of the policy",
    ),
    "it is not valid": (
        ETL,
        FIRST,
        Refused(Reason.WRONG_ISSUER, "the token is of another issuer"),
        RESOURCE_ID,
        "the token is of another issuer",
    ),
    **{
        f"of another {name}": (
            ETL,
            FIRST,
            Claims(**CLAIMS._asdict() | {name: OTHER}),
            RESOURCE_ID,
            "it does not belong to the same application as the first one",
        )
        for name in ("tenant", "object_id", "sub", "client_id")
    },
}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("subject", "principal", "answer", "resource", "detail"), REFUSED.values(), ids=REFUSED
)
def test_all_others_are_refused_in_every_mode(
    subject: Subject,
    principal: Principal | None,
    answer: Claims | Refused | None,
    resource: str | None,
    detail: str,
    mode: Mode,
) -> None:
    known = POLICY._replace(mode=mode)
    directory = None if answer is None else Directory(answer)
    decision = decide_for(known, subject, call(resource), "10.0.0.1", NOW, directory, None, "f", principal)
    assert (decision.allow, decision.forwards) == (False, False)
    assert (decision.reason, decision.fingerprint, decision.policy_revision) == (
        Reason.MULTIPLE_CREDENTIALS,
        "f",
        "rev",
    )
    beginning = "the token in X-Databricks-Azure-SP-Management-Token is a second credential: "
    assert decision.detail == beginning + detail


def test_beside_a_placeholder_it_is_refused_as_one_that_is_not_exchanged() -> None:
    held = make_placeholder(bytes(32)).encode()
    known = POLICY._replace(
        tokens={fingerprint(held): Subject("held", RULES, credential="c")}, mode=Mode.MONITOR
    )
    decision = decide(known, call(bearer=held), "10.0.0.1", NOW, Directory())
    assert (decision.reason, decision.forwards) == (Reason.PLACEHOLDER_MISPLACED, False)


# -- for whom a token is ---------------------------------------------------------------------------------------------

MANAGEMENT = "https://management.azure.com/"
WRONG_MANAGEMENT = "the token's audience is not the management API of its Azure cloud"
AUDIENCES: dict[str, tuple[str | None, str | None, bool, str | None]] = {
    "the management of its cloud": ("a", MANAGEMENT, True, None),
    "another beside the bearer": ("a", "a", True, WRONG_MANAGEMENT),
    "none beside the bearer": ("a", None, True, WRONG_MANAGEMENT),
    "the management as the bearer": ("a", MANAGEMENT, False, "the token's aud is not a, as required"),
    "the one that is named": ("a", "a", False, None),
    "the host that is meant": (SAME_HOST, f"https://{HOST}", False, None),
    "another host": (SAME_HOST, "https://b", False, f"the token's aud is not https://{HOST}, as required"),
    "no matter which": (None, "b", False, None),
}


@pytest.mark.parametrize(("named", "audience", "management", "detail"), AUDIENCES.values(), ids=AUDIENCES)
def test_for_whom_a_token_has_to_be(
    named: str | None, audience: str | None, management: bool, detail: str | None
) -> None:
    issuer = Issuer(ISSUER, HostPatterns([HOST]), audience=named, management=(MANAGEMENT,))
    check = partial(check_audience, management=management) if management else check_audience
    asked = (Principals(issuers={ISSUER: issuer}), CLAIMS._replace(audience=audience), HOST)
    if detail is None:
        check(*asked)
    else:
        assert refusal(check, *asked) == (Reason.WRONG_AUDIENCE, detail)
    if management:
        assert refusal(check, Principals(), *asked[1:]) == (Reason.WRONG_AUDIENCE, WRONG_MANAGEMENT)
    else:
        check(Principals(), *asked[1:])
