"""Token requests: forms in one reading, grants by name, and what no policy can open."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Principal
from brickscope.core.form import read_form
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Grant, Login, Mode, Policy, Principals, RuleSet, Subject
from brickscope.core.reason import Kind, Reason
from brickscope.core.request import ApiRequest, read_request
from brickscope.core.rule import RuleTable, parse_rule
from core.oauth import CLIENT_ID
from core.wire import HOST, TOKEN, Fields, h1
from examples import examples
from reaching import reaching

EVERYTHING = RuleSet(
    "all", RuleTable([parse_rule("POST /{path...}"), parse_rule("GET /{path...}")]), RuleTable([])
)
MINT = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "s3cret-s3cret"}


def request(
    target: bytes = b"/oidc/v1/token", method: bytes = b"POST", token: bytes | None = None
) -> ApiRequest:
    fields: Fields = [(b"Host", HOST.encode()), (b"Content-Type", b"application/x-www-form-urlencoded")]
    if token is not None:
        fields.append((b"Authorization", b"Bearer " + token))
    return read_request(h1(method, target, fields))


def policy(mode: Mode = Mode.ENFORCE, logins: tuple[Login, ...] = (), **bindings: Any) -> Policy:
    grants = frozenset({Grant.CLIENT_CREDENTIALS})
    etl = Subject("etl", EVERYTHING, grants=grants)._replace(**bindings)
    from brickscope.core.fingerprint import fingerprint

    tokens = {fingerprint(TOKEN): Subject("pat", EVERYTHING)}
    return Policy(tokens, {}, mode, "rev", Principals({CLIENT_ID: etl}, {}, logins))


def judged(
    known: Policy, form: dict[str, str], client: str = "10.0.0.1", now: float = 0.0
) -> tuple[bool, Reason]:
    decision = decide(known, request(), client, now, None, urlencode(form).encode())
    return decision.allow, decision.reason


def test_a_service_principal_mints_its_own_token() -> None:
    decision = decide(policy(), request(), "10.0.0.1", 0.0, None, urlencode(MINT).encode())
    assert (decision.allow, decision.reason, decision.subject) == (True, Reason.ALLOWED_BY_GRANT, "etl")


URN = "urn:example:ingest"
NAMED_FIELDS = {"resource": frozenset({URN}), "audience": frozenset({"https://example"})}
FIELDS_OF_TOKENS: dict[str, tuple[dict[str, str], bool]] = {
    "the resource": ({"resource": URN}, True),
    "the audience": ({"audience": "https://example"}, True),
    "both": ({"resource": URN, "audience": "https://example"}, True),
    "another resource": ({"resource": f"{URN}2"}, False),
    "the resource in other letters": ({"resource": URN.upper()}, False),
    "the value of the other field": ({"audience": URN}, False),
    "one of two that is another": ({"resource": URN, "audience": "https://other"}, False),
    "an empty audience": ({"audience": ""}, False),
    "another field": ({"claims": "{}"}, False),
}


@pytest.mark.parametrize(("fields", "passes"), FIELDS_OF_TOKENS.values(), ids=FIELDS_OF_TOKENS)
@pytest.mark.parametrize("mode", Mode)
def test_further_fields_pass_by_name_and_value(fields: dict[str, str], passes: bool, mode: Mode) -> None:
    body = urlencode(MINT | fields).encode()
    decision = decide(policy(mode, token_fields=NAMED_FIELDS), request(), "10.0.0.1", 0.0, None, body)
    if passes:
        assert (decision.allow, decision.params) == (True, fields)
    else:
        assert (decision.reason, decision.forwards) == (Reason.GRANT_REFUSED, False)
    unnamed = decide(policy(mode), request(), "10.0.0.1", 0.0, None, body)
    assert (unnamed.reason, unnamed.forwards) == (Reason.GRANT_REFUSED, False)
    if "claims" not in fields:  # which is known of every request that can be read
        assert (unnamed.grant, unnamed.operation) == (MINT["grant_type"], "oidc.token")
    assert any(name in unnamed.detail for name in fields)
    assert not any(value in unnamed.detail for value in fields.values() if value)


def test_a_login_of_several_is_chosen_by_its_fields() -> None:
    form = {"grant_type": "refresh_token", "client_id": "cli", "refresh_token": "r-r-r-r", "audience": "a"}
    grants = frozenset({Grant.REFRESH})
    logins = (
        Login("plain", "cli", grants),
        Login("other", "cli", grants, token_fields={"audience": frozenset({"b"})}),
        Login("right", "cli", grants, token_fields={"audience": frozenset({"a"})}),
    )
    body = urlencode(form).encode()
    decision = decide(policy(logins=logins), request(), "10.0.0.1", 0.0, None, body)
    assert (decision.allow, decision.subject) == (True, "right")
    assert not decide(policy(logins=logins[:2]), request(), "10.0.0.1", 0.0, None, body).allow


def test_fields_of_a_client_that_nobody_named_are_refused_in_every_mode() -> None:
    body = urlencode(MINT | {"client_id": "x", "audience": "a"}).encode()
    decision = decide(policy(Mode.MONITOR), request(), "10.0.0.1", 0.0, None, body)
    assert (decision.reason, decision.forwards) == (Reason.GRANT_REFUSED, False)


def test_the_body_is_asked_for_first() -> None:
    with pytest.raises(BodyNeeded) as needed:
        decide(policy(), request(), "10.0.0.1", 0.0)
    assert needed.value.limit == 64 * 1024


def test_bindings_hold_at_the_token_endpoint() -> None:
    from ipaddress import ip_network

    bound = (ip_network("10.0.8.0/24"),)
    assert judged(policy(clients=bound), MINT) == (False, Reason.CLIENT_NOT_ALLOWED)
    assert judged(policy(expires=5.0), MINT, now=5.0) == (False, Reason.EXPIRED)
    assert judged(policy(workspaces=frozenset({"dbc-x.cloud.databricks.com"})), MINT) == (
        False,
        Reason.WORKSPACE_NOT_ALLOWED,
    )


def test_of_several_logins_the_one_whose_bindings_hold_answers() -> None:
    refresh = {"grant_type": "refresh_token", "client_id": "databricks-cli", "refresh_token": "x"}
    able = frozenset({Grant.REFRESH})
    old = Login("old", "databricks-cli", able, expires=1.0)
    new = Login("new", "databricks-cli", able)
    decision = decide(
        policy(logins=(old, new)), request(), "10.0.0.1", 9.0, None, urlencode(refresh).encode()
    )
    assert (decision.allow, decision.subject) == (True, "new")
    assert judged(policy(logins=(old,)), refresh, now=9.0) == (False, Reason.EXPIRED)
    browser = Login("browser", "databricks-cli", frozenset({Grant.BROWSER_LOGIN}))
    assert judged(policy(logins=(browser,)), refresh) == (False, Reason.GRANT_NOT_ALLOWED)


REFRESH = {"grant_type": "refresh_token", "client_id": "databricks-cli", "refresh_token": "x"}


def decided(known: Policy, form: dict[str, str], directory: Any = None) -> Decision:
    return decide(known, request(), "10.0.0.1", 9.0, directory, urlencode(form).encode())


def test_a_grant_that_is_allowed_is_told_whole() -> None:
    decision = decided(policy(), MINT)
    assert decision == Decision(
        True,
        Reason.ALLOWED_BY_GRANT,
        "the policy gives 'etl' the grant client_credentials",
        subject="etl",
        rule_set="all",
        policy_revision="rev",
        operation="oidc.token",
        principal=Principal(None, CLIENT_ID, None),
        grant="client_credentials",
    )


def test_a_grant_that_is_not_given_is_denied() -> None:
    for form, grant in (
        (REFRESH | {"client_id": CLIENT_ID}, "refresh"),
        (BROWSER | {"client_id": CLIENT_ID}, "browser_login"),
    ):
        decision = decided(policy(), form)
        assert decision == Decision(
            False,
            Reason.GRANT_NOT_ALLOWED,
            f"the policy does not give 'etl' the grant {grant}",
            subject="etl",
            rule_set="all",
            policy_revision="rev",
            operation="oidc.token",
            principal=Principal(None, CLIENT_ID, None),
            grant=grant,
        )
        assert not decision.forwards
        assert decided(policy(Mode.MONITOR), form).forwards


BROWSER = {
    "grant_type": "authorization_code",
    "code": "x",
    "code_verifier": "v" * 43,
    "client_id": "databricks-cli",
}


def test_a_login_has_no_rule_set_and_its_own_mode() -> None:
    cli = Login("cli", "databricks-cli", frozenset({Grant.REFRESH}))
    decision = decided(policy(logins=(cli,)), REFRESH)
    assert (decision.allow, decision.subject, decision.rule_set) == (True, "cli", None)
    assert (decision.mode, decision.enforced) == ("enforce", True)
    for mode, policy_mode, goes_on in (
        (Mode.MONITOR, Mode.ENFORCE, True),
        (Mode.ENFORCE, Mode.MONITOR, False),
        (None, Mode.MONITOR, True),
        (None, Mode.ENFORCE, False),
    ):
        denied = decided(policy(policy_mode, logins=(cli._replace(mode=mode),)), BROWSER)
        assert denied.reason is Reason.GRANT_NOT_ALLOWED
        assert denied.forwards is goes_on
        assert denied.mode == (mode or policy_mode).value


def test_the_mode_of_a_rule_set_counts_for_a_service_principal() -> None:
    watched = EVERYTHING._replace(mode=Mode.MONITOR)
    denied = decided(policy(rule_set=watched), REFRESH | {"client_id": CLIENT_ID})
    assert (denied.forwards, denied.mode) == (True, "monitor")
    known = policy(rule_set=watched)
    own = known.principals.service_principals[CLIENT_ID]._replace(mode=Mode.ENFORCE)
    known = known._replace(principals=Principals({CLIENT_ID: own}))
    strict = decided(known, REFRESH | {"client_id": CLIENT_ID})
    assert (strict.forwards, strict.mode) == (False, "enforce")


def test_a_login_for_another_client_does_not_answer() -> None:
    """Neither the login of another client nor one for requests without a client lets a client that is unknown ask."""
    every = frozenset(Grant)
    for logins in ((Login("other", "other-cli", every),), (Login("anonymous", None, every),)):
        decision = decided(policy(logins=logins), REFRESH)
        assert decision == Decision(
            False,
            Reason.UNKNOWN_CLIENT,
            "the policy does not name the client of the token request",
            policy_revision="rev",
            operation="oidc.token",
            principal=Principal(None, "databricks-cli", None),
            grant="refresh",
        )
    nobody = {name: value for name, value in REFRESH.items() if name != "client_id"}
    decision = decided(policy(logins=(Login("cli", "databricks-cli", every),)), nobody)
    assert decision.reason is Reason.UNKNOWN_CLIENT
    assert decision.detail == "the policy does not name a token request without a client"
    assert decided(policy(logins=(Login("anonymous", None, every),)), nobody).subject == "anonymous"


class Home:
    """A directory that knows the one workspace of each host."""

    def verify(self, *_: Any) -> Any:
        raise AssertionError("no token is verified for a request for one")

    def workspace_of(self, host: str, now: float) -> str | None:
        return "17" if (host, now) == (HOST, 9.0) else None


def test_a_workspace_that_is_chosen_by_a_header_counts_at_the_token_endpoint() -> None:
    known = policy(workspaces=frozenset({HOST}))
    for chosen, allowed in ((b"17", True), (b"18", False)):
        fields: Fields = [
            (b"Host", HOST.encode()),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            (b"X-Databricks-Org-Id", chosen),
        ]
        asked = read_request(h1(b"POST", b"/oidc/v1/token", fields))
        decision = decide(known, asked, "10.0.0.1", 9.0, Home(), urlencode(MINT).encode())
        assert (decision.allow, decision.host_workspace) == (allowed, "17")
        assert allowed or decision.reason is Reason.WORKSPACE_NOT_ALLOWED
    assert not decide(known, asked, "10.0.0.1", 9.0, None, urlencode(MINT).encode()).allow


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("odd", [(b"Cookie", b"DBAUTH=x"), (b"X-Original-URL", b"/api/2.0/secrets/get")])
def test_a_header_that_could_make_it_another_call_is_refused(mode: Mode, odd: tuple[bytes, bytes]) -> None:
    fields = [(b"Host", HOST.encode()), (b"Content-Type", b"application/x-www-form-urlencoded")]
    body = urlencode(MINT).encode()
    known = policy()._replace(mode=mode)
    plain = read_request(h1(b"POST", b"/oidc/v1/token", fields))
    assert decide(known, plain, "10.0.0.1", 9.0, Home(), body).allow
    asked = read_request(h1(b"POST", b"/oidc/v1/token", [*fields, odd]))
    decision = decide(known, asked, "10.0.0.1", 9.0, Home(), body)
    assert not decision.forwards
    assert decision.reason in (Reason.MULTIPLE_CREDENTIALS, Reason.HEADER_FORBIDDEN)


def test_of_several_logins_none_of_which_may_the_first_is_told() -> None:
    able, unable = frozenset({Grant.REFRESH}), frozenset({Grant.BROWSER_LOGIN})
    late, later = (
        Login(name, "databricks-cli", able, expires=at) for name, at in (("late", 1.0), ("later", 2.0))
    )
    denied = decided(policy(logins=(late, later)), REFRESH)
    assert (denied.reason, denied.subject) == (Reason.EXPIRED, "late")
    browser = Login("browser", "databricks-cli", unable)
    denied = decided(policy(logins=(browser, late)), REFRESH)
    assert (denied.reason, denied.subject) == (Reason.EXPIRED, "late")
    denied = decided(policy(logins=(browser, browser._replace(name="second"))), REFRESH)
    assert (denied.reason, denied.subject) == (Reason.GRANT_NOT_ALLOWED, "browser")


def test_the_endpoint_is_looked_at_before_the_body_is_asked_for() -> None:
    for target, method in ((b"/oidc/v1/revoke", b"POST"), (b"/oidc/v1/token", b"GET")):
        decision = decide(policy(), request(target, method), "10.0.0.1", 0.0)
        assert decision.reason is Reason.GRANT_REFUSED
        assert decision.policy_revision == "rev"


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "target",
    [
        b"/oidc/v1/token/",
        b"/oidc/v1/revoke",
        b"/OIDC/v1/token",
        b"/Oidc/v1/token",
        b"/oidc",
        b"/oidc/v1/authorize",
        b"/oidc%20/v1/token",
        b"/oidc,/v1/token",
        b"/oidc./v1/token",
        b"/%EF%BD%8Fidc/v1/token",
        b"/%E2%80%8Boidc/v1/token",
        b"//oidc/v1/token",  # without a reading
        b"/api/../oidc/v1/token",
    ],
)
def test_no_rule_and_no_mode_opens_what_is_below_oidc(target: bytes, mode: Mode) -> None:
    for method in (b"POST", b"GET", b"PUT"):
        for token in (None, TOKEN):
            decision = decide(policy(mode), request(target, method, token), "10.0.0.1", 0.0, None, b"")
            assert (decision.forwards, decision.reason) == (False, Reason.GRANT_REFUSED)


@pytest.mark.parametrize("mode", list(Mode))
def test_exchanging_a_pat_never_slips_through(mode: Mode) -> None:
    every = Login("every", None, frozenset(Grant))
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": TOKEN.decode(),
        "subject_token_type": "urn:databricks:params:oauth:token-type:personal-access-token",
    }
    for kind in (form["subject_token_type"], "urn:ietf:params:oauth:token-type:jwt", "x", ""):
        body = urlencode(form | {"subject_token_type": kind}).encode()
        decision = decide(policy(mode, (every,)), request(), "10.0.0.1", 0.0, None, body)
        assert (decision.forwards, decision.reason) == (False, Reason.GRANT_REFUSED)


def test_monitor_lets_an_unknown_client_go_on() -> None:
    body = urlencode(MINT | {"client_id": "stranger"}).encode()
    decision = decide(policy(Mode.MONITOR), request(), "10.0.0.1", 0.0, None, body)
    assert (decision.allow, decision.forwards, decision.reason) == (False, True, Reason.UNKNOWN_CLIENT)


NAMES = st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True)
VALUES = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=9
)


@given(st.dictionaries(NAMES, VALUES, min_size=1))
def test_a_form_reads_back_as_it_was_written(fields: dict[str, str]) -> None:
    assert read_form(request(), urlencode(fields).encode()) == fields


_PAIRS = [f"{name}={value}".encode() for name, value in MINT.items()]
_MORE = [
    b"scope=all-apis",
    b"client_id=other",
    b"Client_id=other",
    b"grant_type=refresh_token",
    b"client%5Fid=other",
    b"refresh_token=x",
    b"assertion=x",
    b"client_secret=",
    b"scope",
    b"scope=a=b",
    b"",
    b"\xff=x",
    b"a%zz=x",
]


@reaching(
    0.04,
    st.permutations(_PAIRS),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(_MORE)), max_size=2),
    st.sampled_from([b"&"] * 8 + [b";", b"&&"]),
    st.integers(0, 9),
)
@settings(max_examples=examples(300))
def test_of_all_bodies_only_the_right_form_gets_a_token(
    pairs: list[bytes], more: list[tuple[int, bytes]], joint: bytes, drop: int
) -> bool:
    pairs = [pair for index, pair in enumerate(pairs) if index != drop]
    for at, pair in more:
        pairs.insert(at, pair)
    decision = decide(policy(), request(), "10.0.0.1", 0.0, None, joint.join(pairs))
    assert decision.reason.kind is not Kind.INTERNAL
    if not decision.allow:
        return False
    assert sorted(set(pairs) - {b"scope=all-apis"}) == sorted(_PAIRS)
    assert len(pairs) == len(set(pairs))
    assert joint == b"&"
    return True


@given(st.binary(max_size=200))
def test_no_bytes_are_a_token_request(body: bytes) -> None:
    decision = decide(policy(), request(), "10.0.0.1", 0.0, None, body)
    assert (decision.allow, decision.reason.kind) == (
        False,
        Kind.READING,
    ) or decision.reason is Reason.GRANT_REFUSED
