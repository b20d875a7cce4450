"""A placeholder is known for one wherever it stands, and is never sent on as it is, in no mode."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import BodyNeeded
from brickscope.core.placeholder import MOST, holds_placeholder, is_whole, make_placeholder
from brickscope.core.policy import Mode, Policy, Principals, RuleSet, Subject
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from brickscope.core.rule import RuleTable, parse_rule
from core.wire import HOST, TOKEN, h1, h1_headers

PLACEHOLDER = make_placeholder(bytes(range(32)))
CATALOGS, JOBS = "/api/2.1/unity-catalog/catalogs", "/api/2.2/jobs/list"


@given(st.binary(min_size=32, max_size=32))
def test_every_placeholder_is_whole_and_found_in_other_text(random: bytes) -> None:
    made = make_placeholder(random)
    assert is_whole(made)
    assert len(made) == 53
    assert holds_placeholder(f'{{"token": "{made}"}}')


@given(st.integers(0, 52), st.sampled_from("0aZ_"))
def test_one_other_character_makes_it_none(at: int, other: str) -> None:
    broken = PLACEHOLDER[:at] + other + PLACEHOLDER[at + 1 :]
    assert is_whole(broken) is (broken == PLACEHOLDER)


@pytest.mark.parametrize("begun", ["bsp_", "bsp_x", f"{PLACEHOLDER[:-1]}-", f"bsp_{'0' * 49}"])
def test_a_text_with_more_beginnings_than_are_looked_at_is_taken_to_hold_one(begun: str) -> None:
    assert not is_whole(begun)
    assert not holds_placeholder(begun * MOST)
    assert holds_placeholder(begun * (MOST + 1))
    assert holds_placeholder(begun * (MOST - 1) + PLACEHOLDER)


def test_its_random_bits_are_all_there() -> None:
    assert len({make_placeholder(bytes([byte]) + bytes(31)) for byte in range(256)}) == 256
    with pytest.raises(ValueError, match="256 random bits"):
        make_placeholder(bytes(16))


def policy(mode: Mode = Mode.ENFORCE, **bindings: Any) -> Policy:
    rules = RuleTable([parse_rule(f"GET {CATALOGS}")])
    rule_set = RuleSet("reader", rules, RuleTable(()))
    subject = Subject("etl", rule_set, credential="store-etl", **bindings)
    known = {fingerprint(PLACEHOLDER.encode()): subject, fingerprint(TOKEN): Subject("plain", rule_set)}
    return Policy(known, {"reader": rule_set}, mode, "r1", Principals())


def judged(known: Policy, authorization: str, target: str = CATALOGS, now: float = 0) -> Decision:
    headers = [field for field in h1_headers() if field[0] != b"Authorization"]
    wire = h1(target=target.encode(), headers=[*headers, (b"Authorization", authorization.encode())])
    return decide(known, read_request(wire), "10.0.0.1", now)


BEARER = f"Bearer {PLACEHOLDER}"
BASIC = f"Basic {b64encode(f'token:{PLACEHOLDER}'.encode()).decode()}"


@pytest.mark.parametrize("authorization", [BEARER, BASIC])
def test_an_allowed_call_is_to_be_exchanged(authorization: str) -> None:
    decision = judged(policy(), authorization)
    assert (decision.allow, decision.credential, decision.subject) == (True, "store-etl", "etl")
    assert decision.fingerprint == fingerprint(PLACEHOLDER.encode())


def test_a_token_is_sent_as_it_came() -> None:
    assert judged(policy(), f"Bearer {TOKEN.decode()}").credential is None


BROKEN = PLACEHOLDER[:-1] + ("0" if PLACEHOLDER[-1] != "0" else "1")
OTHER = make_placeholder(bytes(32))
DENIED: dict[str, tuple[Policy, str, str, Reason]] = {
    "a call that no rule allows": (policy(Mode.MONITOR), BEARER, JOBS, Reason.NO_RULE_MATCHES),
    "an expired placeholder": (policy(Mode.MONITOR, expires=5.0), BEARER, CATALOGS, Reason.EXPIRED),
    "another workspace": (
        policy(Mode.MONITOR, workspaces=frozenset({"other.cloud.databricks.com"})),
        BEARER,
        CATALOGS,
        Reason.WORKSPACE_NOT_ALLOWED,
    ),
    "a path without a regular reading": (
        policy(Mode.MONITOR),
        BEARER,
        "//api",
        Reason.PATH_NOT_CANONICAL,
    ),
    "a placeholder that nobody has": (
        policy(Mode.MONITOR),
        f"Bearer {OTHER}",
        CATALOGS,
        Reason.UNKNOWN_PLACEHOLDER,
    ),
    "one that was cut off": (
        policy(Mode.MONITOR),
        BEARER[:-1],
        CATALOGS,
        Reason.UNKNOWN_PLACEHOLDER,
    ),
    "one with a wrong checksum": (
        policy(Mode.MONITOR),
        f"Bearer {BROKEN}",
        CATALOGS,
        Reason.UNKNOWN_PLACEHOLDER,
    ),
}


@pytest.mark.parametrize("name", DENIED)
def test_what_is_not_exchanged_is_not_sent_in_monitor_either(name: str) -> None:
    known, authorization, target, reason = DENIED[name]
    decision = judged(known, authorization, target, now=10)
    assert (decision.reason, decision.allow, decision.forwards) == (reason, False, False)


def test_a_placeholder_that_is_listed_as_a_token_is_not_sent() -> None:
    known = policy(Mode.MONITOR)
    subject = known.tokens[fingerprint(TOKEN)]
    name = fingerprint(PLACEHOLDER.encode())
    known = known._replace(tokens={name: subject})
    decision = judged(known, BEARER)
    assert (decision.reason, decision.forwards) == (Reason.UNKNOWN_PLACEHOLDER, False)
    assert decision.fingerprint == name
    assert decision.detail == f"the policy names no placeholder with the fingerprint {name}"


def test_a_token_that_is_listed_as_a_placeholder_is_not_exchanged() -> None:
    known = policy()
    subject = known.tokens[fingerprint(PLACEHOLDER.encode())]
    decision = judged(known._replace(tokens={fingerprint(TOKEN): subject}), f"Bearer {TOKEN.decode()}")
    assert (decision.reason, decision.forwards, decision.credential) == (Reason.UNKNOWN_TOKEN, False, None)


WRONG_PLACES: dict[str, tuple[str, tuple[bytes, bytes] | None]] = {
    "in the query": (f"{CATALOGS}?x={PLACEHOLDER}", None),
    "in the name of a parameter": (f"{CATALOGS}?{PLACEHOLDER}=1", None),
    "in the query, encoded": (f"{CATALOGS}?x=%62sp_{PLACEHOLDER[4:]}", None),
    "in the query, encoded twice": (f"{CATALOGS}?x=%2562sp_{PLACEHOLDER[4:]}", None),
    "in the path": (f"/api/{PLACEHOLDER}", None),
    "in another header": (CATALOGS, (b"X-Note", PLACEHOLDER.encode())),
    "in a cookie": (CATALOGS, (b"Cookie", b"a=" + PLACEHOLDER.encode())),
    "in Azure's second token": (
        CATALOGS,
        (b"X-Databricks-Azure-SP-Management-Token", PLACEHOLDER.encode()),
    ),
    "in the User-Agent": (CATALOGS, (b"X-User-Agent", b"me/" + PLACEHOLDER.encode())),
}


@pytest.mark.parametrize("name", WRONG_PLACES)
def test_in_any_other_place_it_is_refused_for_a_reason_of_its_own(name: str) -> None:
    target, header = WRONG_PLACES[name]
    with pytest.raises(Refused) as caught:
        read_request(h1(target=target.encode(), headers=h1_headers(*([header] if header else []))))
    assert caught.value.reason is Reason.PLACEHOLDER_MISPLACED
    assert PLACEHOLDER not in caught.value.detail


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


HIDDEN = {
    "another scheme": f"Token {PLACEHOLDER}",
    "no scheme": PLACEHOLDER,
    "two blanks": f"Bearer  {PLACEHOLDER}",
    "a small letter": f"bearer {PLACEHOLDER}",
    "a list": f"Bearer x, Bearer {PLACEHOLDER}",
    "most of it, elsewhere": f"Token {PLACEHOLDER[:-6]}",
    "encoded": f"Token %62sp_{PLACEHOLDER[4:]}",
    "Basic of somebody else": f"Basic {b64(f'bob:{PLACEHOLDER}')}",
    "Basic of it as the user": f"Basic {b64(f'{PLACEHOLDER}:')}",
    "Basic without its end": f"Basic {b64(f'token:{PLACEHOLDER}').rstrip('=')}",
    "Bearer of Basic": f"Bearer {b64(f'token:{PLACEHOLDER}')}",
    "Base64 that begins late": f"Negotiate a{b64(PLACEHOLDER)}",
}


@pytest.mark.parametrize("target", [CATALOGS, "/oidc/v1/token", "/OIDC/x"])
@pytest.mark.parametrize("value", HIDDEN.values(), ids=HIDDEN)
def test_in_a_form_that_is_not_exchanged_it_is_sent_in_no_mode(value: str, target: str) -> None:
    decision = judged(policy(Mode.MONITOR)._replace(mode=Mode.MONITOR), value, target)
    assert not decision.forwards
    assert PLACEHOLDER not in decision.detail
    assert decision.reason is Reason.PLACEHOLDER_MISPLACED
    known = policy(Mode.MONITOR)._replace(mode=Mode.MONITOR)
    assert judged(known, f"Token {'x' * 53}").forwards, "what is nobody's goes on"


TOKEN_FORM = f"grant_type=client_credentials&client_id=a&client_secret={PLACEHOLDER}"
BASIC_CLIENT = b"Basic " + b64encode(f"a:{PLACEHOLDER}".encode())
AS_CLIENT = b"Basic " + b64encode(f"{PLACEHOLDER}:a".encode())


@pytest.mark.parametrize(
    ("authorization", "body"),
    [
        (None, TOKEN_FORM),
        (None, TOKEN_FORM.replace("bsp_", "%62sp%5f")),
        (None, "".join(f"%{ord(each):02X}" if each.isalnum() else each for each in TOKEN_FORM)),
        (BASIC_CLIENT, "grant_type=client_credentials"),
        (AS_CLIENT, "grant_type=client_credentials"),
        (AS_CLIENT, "grant_type=client_credentials&audience=a"),
    ],
    ids=[
        "in the form",
        "with letters encoded",
        "with all encoded",
        "as the client's secret",
        "as the client",
        "as the client, with a field of its own",
    ],
)
def test_no_token_is_asked_for_with_it(authorization: bytes | None, body: str) -> None:
    headers = [
        (b"Host", HOST.encode()),
        (b"Content-Type", b"application/x-www-form-urlencoded"),
        (b"Content-Length", str(len(body)).encode()),
        *([(b"Authorization", authorization)] if authorization else []),
    ]
    request = read_request(h1(b"POST", b"/oidc/v1/token", headers))
    known = policy(Mode.MONITOR)
    with pytest.raises(BodyNeeded):
        decide(known, request, "10.0.0.1", 0)
    decision = decide(known, request, "10.0.0.1", 0, None, body.encode())
    assert (decision.reason, decision.forwards) == (Reason.PLACEHOLDER_MISPLACED, False)
