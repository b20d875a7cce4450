"""The decision: default deny, deny over allow, bindings, and what monitor mode may and may not let go on."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Principal, Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.jwt_token import Claims
from brickscope.core.operation import OperationRule
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Mode, Policy, Principals, Subject
from brickscope.core.reason import Kind, Reason
from brickscope.core.request import read_request
from brickscope.core.rule import Rule, RuleTable
from brickscope.core.template import parse_template
from core.one_subject import CATALOGS, ENFORCE, MONITOR, QUERIES, WAREHOUSES, policy, rule_set
from core.wire import HOST, TOKEN, h1, h1_headers


def judged(
    policy: Policy,
    target: bytes = CATALOGS,
    method: bytes = b"GET",
    client: str = "10.0.8.7",
    now: float = 1000.0,
) -> tuple[bool, Reason, bool]:
    decision = decide(policy, read_request(h1(method, target)), client, now)
    return decision.allow, decision.reason, decision.enforced


def test_a_decision_and_a_request_have_all_their_fields() -> None:
    """They are made without the check of their own constructors."""
    request = read_request(h1(b"GET", CATALOGS))
    decision = decide(policy(), request, "10.0.8.7", 1000.0)
    for made in (request, decision):
        assert len(made) == len(type(made)._fields)
    assert Decision(*decision) == decision
    assert (decision.entry, decision.reading, decision.ids, decision.credential) == (-1, 0, (), None)


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
    "a deny overrides every allow": (
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


# -- what a decision tells ------------------------------------------------------------------------------------------


def decided(known: Policy, target: bytes = CATALOGS, **more: Any) -> Decision:
    return decide(known, read_request(h1(target=target)), "10.0.8.7", 1000.0, **more)


NAME = fingerprint(TOKEN)


def test_an_allowed_call_is_told_whole() -> None:
    assert decided(policy()) == Decision(
        True,
        Reason.ALLOWED_BY_RULE,
        "a rule of the rule set allows it",
        subject="ci",
        fingerprint=NAME,
        rule_set="reader",
        rule="GET /api/2.1/unity-catalog/catalogs",
        policy_revision="rev",
    )


def test_denied_calls_are_told_whole() -> None:
    told = Decision(
        False,
        Reason.DENIED_BY_RULE,
        "rule set 'reader' denies it by the rule 'GET /api/2.0/jobs/13'",
        subject="ci",
        fingerprint=NAME,
        rule_set="reader",
        rule="GET /api/2.0/jobs/13",
        policy_revision="rev",
    )
    assert decided(policy(), b"/api/2.0/jobs/13") == told
    nothing = told._replace(
        reason=Reason.NO_RULE_MATCHES, detail="rule set 'reader' has no rule that allows it", rule=None
    )
    assert decided(policy(), WAREHOUSES) == nothing
    assert decided(policy(MONITOR), WAREHOUSES) == nothing._replace(mode="monitor", enforced=False)


CATALOGUE = RuleTable(
    [
        Rule("GET", parse_template(CATALOGS.decode()), "catalogs.list"),
        Rule("GET", parse_template("/a"), "x.a"),
    ]
)


def test_an_operation_is_told_by_its_name() -> None:
    known = policy()._replace(catalogue=CATALOGUE)
    assert decided(known).operation == "catalogs.list"
    denied = decided(known, b"/a")
    assert (denied.reason, denied.operation) == (Reason.NO_RULE_MATCHES, "x.a")
    assert denied.detail == "rule set 'reader' has no rule that allows it, the operation x.a"
    unknown = decided(known, b"/b")
    assert (unknown.reason, unknown.operation) == (Reason.UNKNOWN_OPERATION, None)
    assert (
        unknown.detail
        == "rule set 'reader' has no rule that allows it, and the catalogue has no such operation"
    )


def test_a_rule_by_name_allows_and_denies() -> None:
    named = (OperationRule("x.a", "x.*"),)
    allows = rule_set()._replace(operations={"x.a": named})
    known = policy(rules=allows)._replace(catalogue=CATALOGUE)
    found = decided(known, b"/a")
    assert (found.allow, found.rule, found.detail) == (True, "x.*", "a rule of the rule set allows it")
    denies = allows._replace(denied_operations={"x.a": named, "catalogs.list": named})
    known = policy(rules=denies)._replace(catalogue=CATALOGUE)
    for target in (b"/a", CATALOGS):
        found = decided(known, target)
        assert (found.allow, found.reason, found.rule) == (False, Reason.DENIED_BY_RULE, "x.*")
        assert found.detail == "rule set 'reader' denies it by the rule 'x.*'"


def test_bindings_come_before_rules_and_tell_why() -> None:
    """Also a call that a rule denies is told the binding: nothing of the rules is for who may not act at all."""
    elsewhere = frozenset({"dbc-other.cloud.databricks.com"})
    for bindings, reason, detail in (
        ({"expires": 1000.0}, Reason.EXPIRED, "the policy lets 'ci' act until 1970-01-01T00:16:40Z only"),
        (
            {"clients": (ip_network("10.0.9.0/24"),)},
            Reason.CLIENT_NOT_ALLOWED,
            "the policy does not let 'ci' act from 10.0.8.7",
        ),
        (
            {"workspaces": elsewhere},
            Reason.WORKSPACE_NOT_ALLOWED,
            f"the policy does not let 'ci' act on {HOST}",
        ),
    ):
        for target in (CATALOGS, b"/api/2.0/jobs/13"):
            found = decided(policy(**bindings), target)
            assert (found.allow, found.reason, found.detail, found.rule) == (False, reason, detail, None)


class Homes:
    """A directory that knows which one workspace a host serves."""

    def __init__(self, workspace: str | None) -> None:
        self.workspace = workspace
        self.asked: list[tuple[str, float]] = []

    def verify(self, *_: object) -> Any:
        raise AssertionError("no OAuth token is used here")

    def workspace_of(self, host: str, now: float) -> str | None:
        self.asked.append((host, now))
        return self.workspace


# bound to, chosen by the call, the host's own word, allowed, whether the host is asked
WORKSPACES: dict[str, tuple[set[str], str, str | None, bool, bool]] = {
    "the host, and no choice": ({HOST}, "", None, True, False),
    "the host, and a choice of what the host says it is": ({HOST}, "?o=17", "17", True, True),
    "the host, and a choice of something else": ({HOST}, "?o=18", "17", False, True),
    "the host, which serves several": ({HOST}, "?o=17", None, False, True),
    "a workspace on the host, and that choice": ({f"{HOST}?o=17"}, "?o=17", None, True, False),
    "a workspace on the host, and another choice": ({f"{HOST}?o=17"}, "?o=18", "18", False, False),
    "a workspace on the host, and no choice": ({f"{HOST}?o=17"}, "", "17", False, False),
    "another host, and a choice": ({"dbc-other.cloud.databricks.com"}, "?o=17", "17", False, False),
    "the host and a workspace on it": ({HOST, f"{HOST}?o=18"}, "?o=18", "17", True, False),
}


@pytest.mark.parametrize(("bound", "query", "own", "allowed", "asks"), WORKSPACES.values(), ids=WORKSPACES)
def test_a_workspace_is_chosen_by_more_than_the_host(
    bound: set[str], query: str, own: str | None, allowed: bool, asks: bool
) -> None:
    homes = Homes(own)
    known = policy(workspaces=frozenset(bound))
    found = decided(known, CATALOGS + query.encode(), directory=homes)
    assert found.allow is allowed
    assert homes.asked == ([(HOST, 1000.0)] if asks else [])
    assert found.host_workspace == (own if asks else None)
    if not allowed:
        assert found.reason is Reason.WORKSPACE_NOT_ALLOWED
        assert found.detail == f"the policy does not let 'ci' act on {HOST}{query}"


def test_without_a_directory_a_choice_is_nothing_but_what_is_written() -> None:
    known = policy(workspaces=frozenset({HOST}))
    assert decided(known).allow
    assert decided(known, CATALOGS + b"?o=17").reason is Reason.WORKSPACE_NOT_ALLOWED


def test_a_long_choice_is_clipped_where_it_is_told() -> None:
    known = policy(workspaces=frozenset({"dbc-other.cloud.databricks.com"}))
    detail = decided(known, CATALOGS + b"?o=" + b"7" * 60).detail
    assert detail.endswith(f"?o={'7' * 20}")


@pytest.mark.parametrize("client", ["fe80::1%eth0", "fe80::1"])
def test_the_zone_of_an_address_is_no_part_of_it(client: str) -> None:
    assert judged(policy(clients=(ip_network("fe80::/64"),)), client=client)[0]
    assert not judged(policy(clients=(ip_network("fe81::/64"),)), client=client)[0]


def test_a_client_in_any_of_the_networks_is_allowed() -> None:
    networks = (ip_network("192.0.2.0/24"), ip_network("10.0.8.0/24"), ip_network("2001:db8::/32"))
    assert judged(policy(clients=networks))[0]
    assert judged(policy(clients=networks), client="2001:db8::7")[0]
    assert not judged(policy(clients=networks), client="2001:db9::7")[0]
    assert judged(policy(clients=()))[1] is Reason.CLIENT_NOT_ALLOWED


def test_a_jwt_is_no_unknown_token_but_somebody_to_be_verified() -> None:
    """With nobody to find, it is nobody's, no keys are fetched for it, and its fingerprint is no advice."""
    fields = [
        (name, b"Bearer eyJx.eyJy.z" if name == b"Authorization" else value) for name, value in h1_headers()
    ]
    found = decide(policy(), read_request(h1(headers=fields)), "10.0.8.7", 0, Homes(None))
    assert found.reason is Reason.UNKNOWN_PRINCIPAL
    assert "sha256" not in found.detail
    assert found.fingerprint == fingerprint(b"eyJx.eyJy.z")


class Verified(Homes):
    """A directory that has verified a token; says what it was asked."""

    def __init__(self, claims: Claims) -> None:
        super().__init__("17")
        self.claims = claims
        self.verified: list[tuple[Any, ...]] = []

    def verify(self, *asked: Any) -> Any:
        self.verified.append(asked)
        return self.claims


def test_an_oauth_token_acts_for_whom_it_names() -> None:
    token = b"eyJx.eyJy.z"
    fields = [
        (name, b"Bearer " + token if name == b"Authorization" else value) for name, value in h1_headers()
    ]
    known = policy()._replace(principals=Principals({"sp": Subject("etl", rule_set())}))
    directory = Verified(Claims("https://i", "k", "RS256", "sp", "s", 9e9, 0.0))
    found = decide(known, read_request(h1(target=CATALOGS, headers=fields)), "10.0.8.7", 1000.0, directory)
    assert (found.allow, found.subject, found.fingerprint) == (True, "etl", fingerprint(token))
    assert found.principal == Principal("https://i", "sp", "s")
    assert directory.verified == [(known, token, fingerprint(token), HOST, 1000.0)]
    stranger = Verified(Claims("https://i", "k", "RS256", "sp-9", None, 9e9, 0.0))
    found = decide(known, read_request(h1(target=CATALOGS, headers=fields)), "10.0.8.7", 1000.0, stranger)
    assert (found.allow, found.reason) == (False, Reason.UNKNOWN_PRINCIPAL)
    assert found.principal == Principal("https://i", "sp-9", None)


def test_a_token_of_the_policy_is_not_verified() -> None:
    """Whatever its shape: its fingerprint says whose it is."""
    token = b"eyJx.eyJy.z"
    fields = [
        (name, b"Bearer " + token if name == b"Authorization" else value) for name, value in h1_headers()
    ]
    known = policy()._replace(tokens={fingerprint(token): Subject("ci", rule_set())})
    directory = Verified(Claims("https://i", "k", "RS256", "sp", "s", 9e9, 0.0))
    found = decide(known, read_request(h1(target=CATALOGS, headers=fields)), "10.0.8.7", 1000.0, directory)
    assert (found.subject, found.principal, directory.verified) == ("ci", None, [])


def test_the_names_of_parameters_are_told_where_a_rule_looked_at_them() -> None:
    only = OperationRule("x.a", "x.a", (), frozenset({"b"}))
    known = policy(rules=rule_set()._replace(operations={"x.a": (only, only)}))._replace(catalogue=CATALOGUE)
    found = decided(known, b"/a?b=1")
    assert (found.allow, found.names) == (True, frozenset({"b"}))
    found = decided(known, b"/a?b=1&c=2")
    assert (found.reason, found.names) == (Reason.CONSTRAINT_NOT_MET, frozenset({"b", "c"}))
    told = "with no other parameters than b; or with no other parameters than b"
    assert found.detail == f"rule set 'reader' allows the operation x.a only {told}"


def test_a_body_is_asked_for_with_its_limit() -> None:
    only = OperationRule("x.a", "x.a", (), frozenset())
    known = policy(rules=rule_set()._replace(operations={"x.a": (only,)}))._replace(catalogue=CATALOGUE)
    with_body = read_request(h1(b"GET", b"/a", h1_headers((b"Content-Length", b"2"))))
    with pytest.raises(BodyNeeded) as needed:
        decide(known, with_body, "10.0.8.7", 1000.0)
    assert needed.value.limit == 16 * 1024 * 1024
    assert decide(known, with_body, "10.0.8.7", 1000.0, body=b"{}").allow


@pytest.mark.parametrize("mode", [ENFORCE, MONITOR])
def test_an_open_call_is_told_with_its_operation(mode: Mode) -> None:
    config = RuleTable([Rule("GET", parse_template("/.well-known/databricks-config"), "host.config")])
    known = policy(mode)._replace(catalogue=config)
    for method in (b"GET", b"HEAD"):
        request = read_request(h1(method, b"/.well-known/databricks-config", [(b"Host", HOST.encode())]))
        assert decide(known, request, "10.0.8.7", 0) == Decision(
            True,
            Reason.ALLOWED_WITHOUT_CREDENTIAL,
            "the call needs no credential",
            mode=mode.value,
            policy_revision="rev",
            operation="host.config",
        )


def test_a_refusal_is_a_denial_in_every_mode() -> None:
    refused = Refused(Reason.HOST_MISMATCH, "two hosts")
    assert refused.decision("rev") == Decision(
        False, Reason.HOST_MISMATCH, "two hosts", policy_revision="rev"
    )
    assert not refused.decision(None).forwards
    assert refused.principal is None


def test_what_goes_on() -> None:
    denied = Decision(False, Reason.NO_RULE_MATCHES, "")
    assert not denied.forwards
    assert denied._replace(enforced=False).forwards
    assert denied._replace(allow=True).forwards
    assert denied._replace(allow=True, enforced=False).forwards
