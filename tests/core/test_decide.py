"""The decision: default deny, deny over allow, bindings, and what monitor mode may and may not let go on."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decide import decide
from brickscope.core.fingerprint import fingerprint
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.reason import Kind, Reason
from brickscope.core.request import read_request
from brickscope.core.rule import RuleTable, parse_rule
from core.wire import HOST, TOKEN, h1, h1_headers

MONITOR, ENFORCE = Mode.MONITOR, Mode.ENFORCE
CATALOGS, QUERIES, WAREHOUSES = (
    b"/api/2.1/unity-catalog/catalogs",
    b"/api/2.0/preview/sql/queries",
    b"/api/2.0/sql/warehouses",
)


def rule_set(mode: Mode | None = None) -> RuleSet:
    allow = ["GET " + CATALOGS.decode(), "GET " + QUERIES.decode(), "GET /api/2.0/jobs/{id}"]
    return RuleSet(
        "reader", RuleTable(map(parse_rule, allow)), RuleTable([parse_rule("GET /api/2.0/jobs/13")]), mode
    )


def policy(mode: Mode = ENFORCE, rules: RuleSet | None = None, **bindings: object) -> Policy:
    subject = Subject("ci", rules or rule_set(), **bindings)  # type: ignore[arg-type]
    return Policy({fingerprint(TOKEN): subject}, {"reader": subject.rule_set}, mode, "rev")


def judged(
    policy: Policy,
    target: bytes = CATALOGS,
    method: bytes = b"GET",
    client: str = "10.0.8.7",
    now: float = 1000.0,
) -> tuple[bool, Reason, bool]:
    decision = decide(policy, read_request(h1(method, target)), client, now)
    return decision.allow, decision.reason, decision.enforced


def test_the_origin_question() -> None:
    assert judged(policy(), CATALOGS) == (True, Reason.ALLOWED_BY_RULE, True)
    assert judged(policy(), QUERIES) == (True, Reason.ALLOWED_BY_RULE, True)
    assert judged(policy(), WAREHOUSES) == (False, Reason.NO_RULE_MATCHES, True)


CASES = {
    "a trailing slash is the same call": (
        policy(),
        CATALOGS + b"/",
        b"GET",
        (True, Reason.ALLOWED_BY_RULE, True),
    ),
    "another method is another call": (policy(), QUERIES, b"POST", (False, Reason.NO_RULE_MATCHES, True)),
    "a deny wins over every allow": (
        policy(),
        b"/api/2.0/jobs/13",
        b"GET",
        (False, Reason.DENIED_BY_RULE, True),
    ),
    "expired": (policy(expires=1000.0), CATALOGS, b"GET", (False, Reason.EXPIRED, True)),
    "not yet expired": (policy(expires=1000.1), CATALOGS, b"GET", (True, Reason.ALLOWED_BY_RULE, True)),
    "another workspace": (
        policy(workspaces=frozenset({"dbc-other.cloud.databricks.com"})),
        CATALOGS,
        b"GET",
        (False, Reason.WORKSPACE_NOT_ALLOWED, True),
    ),
    "its workspace": (
        policy(workspaces=frozenset({HOST})),
        CATALOGS,
        b"GET",
        (True, Reason.ALLOWED_BY_RULE, True),
    ),
    "another client": (
        policy(clients=(ip_network("10.0.9.0/24"),)),
        CATALOGS,
        b"GET",
        (False, Reason.CLIENT_NOT_ALLOWED, True),
    ),
    "its client": (
        policy(clients=(ip_network("10.0.8.0/24"),)),
        CATALOGS,
        b"GET",
        (True, Reason.ALLOWED_BY_RULE, True),
    ),
    "monitor of the whole proxy": (
        policy(MONITOR),
        WAREHOUSES,
        b"GET",
        (False, Reason.NO_RULE_MATCHES, False),
    ),
    "monitor of a subject": (
        policy(mode=MONITOR),
        WAREHOUSES,
        b"GET",
        (False, Reason.NO_RULE_MATCHES, False),
    ),
    "monitor of a rule set": (
        policy(rules=rule_set(MONITOR)),
        WAREHOUSES,
        b"GET",
        (False, Reason.NO_RULE_MATCHES, False),
    ),
}
CASES["monitor of a subject"] = (
    Policy({fingerprint(TOKEN): Subject("ci", rule_set(), MONITOR)}, {}, ENFORCE, "rev"),
    *CASES["monitor of a subject"][1:],
)
CASES["a subject that enforces in a proxy that monitors"] = (
    Policy({fingerprint(TOKEN): Subject("ci", rule_set(), ENFORCE)}, {}, MONITOR, "rev"),
    WAREHOUSES,
    b"GET",
    (False, Reason.NO_RULE_MATCHES, True),
)


@pytest.mark.parametrize(("policy", "target", "method", "expected"), CASES.values(), ids=CASES)
def test_decisions(policy: Policy, target: bytes, method: bytes, expected: tuple[bool, Reason, bool]) -> None:
    assert judged(policy, target, method) == expected


@pytest.mark.parametrize("client", ["::ffff:10.0.8.7", "10.0.8.7"])
def test_an_ipv4_client_on_an_ipv6_socket_is_the_same_client(client: str) -> None:
    assert judged(policy(clients=(ip_network("10.0.8.0/24"),)), client=client)[0]


@pytest.mark.parametrize("client", ["", "unix", "10.0.9.1", "::1"])
def test_a_client_that_cannot_be_placed_is_not_allowed(client: str) -> None:
    assert judged(policy(clients=(ip_network("10.0.8.0/24"),)), client=client)[1] is Reason.CLIENT_NOT_ALLOWED


UNNAMED = {
    "an unknown token": (b"Bearer other", Reason.UNKNOWN_TOKEN),
    "no credential": (None, Reason.MISSING_CREDENTIAL),
    "another scheme": (b"Digest x", Reason.UNSUPPORTED_CREDENTIAL),
}


@pytest.mark.parametrize(("authorization", "reason"), UNNAMED.values(), ids=UNNAMED)
@pytest.mark.parametrize("mode", [ENFORCE, MONITOR])
def test_nobody_goes_on_only_when_the_whole_proxy_monitors(
    authorization: bytes | None, reason: Reason, mode: Mode
) -> None:
    fields = [field for field in h1_headers() if field[0] != b"Authorization"]
    if authorization is not None:
        fields.append((b"Authorization", authorization))
    decision = decide(policy(mode), read_request(h1(headers=fields)), "10.0.8.7", 0)
    assert (decision.allow, decision.reason, decision.forwards) == (False, reason, mode is MONITOR)
    assert decision.subject is None


def test_the_fingerprint_of_an_unknown_token_is_told() -> None:
    fields = [(name, b"Bearer other" if name == b"Authorization" else value) for name, value in h1_headers()]
    decision = decide(policy(), read_request(h1(headers=fields)), "10.0.8.7", 0)
    assert decision.fingerprint == fingerprint(b"other")
    assert fingerprint(b"other") in decision.detail


@pytest.mark.parametrize("authorization", [b"Bearer  x", b"Basic !!"])
def test_monitor_lets_nothing_on_that_has_no_single_reading(authorization: bytes) -> None:
    fields = [(name, authorization if name == b"Authorization" else value) for name, value in h1_headers()]
    assert not decide(policy(MONITOR), read_request(h1(headers=fields)), "10.0.8.7", 0).forwards


@given(
    st.sampled_from([CATALOGS, QUERIES, WAREHOUSES, b"/api/2.0/jobs/1", b"/x"]),
    st.floats(0, 2e9),
    st.ip_addresses(),
)
def test_an_empty_policy_never_allows(target: bytes, now: float, client: object) -> None:
    empty = Policy({}, {}, ENFORCE, "rev")
    decision = decide(empty, read_request(h1(target=target)), str(client), now)
    assert not decision.allow
    assert not decision.forwards


def test_every_reason_has_a_sentence_and_a_kind() -> None:
    for reason in Reason:
        assert reason.sentence.endswith(".")
        assert isinstance(reason.kind, Kind)
        assert reason.value == reason.value.lower()
