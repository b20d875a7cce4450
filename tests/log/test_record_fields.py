"""The fields of a record: what a decision looked at, bounded, comparable and without secrets."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.body import Number
from brickscope.core.decision import Decision, Principal
from brickscope.core.reason import Reason
from brickscope.log.key import DigestKey
from brickscope.log.record import decision_fields, decision_record, is_clean, printable

KEY = DigestKey(b"k")
TOKEN = "dapi" + "0123456789abcdef" * 2
SECRET = b"an-odd-secret-of-12"


def test_what_was_decided() -> None:
    decision = Decision(
        True,
        Reason.ALLOWED_BY_RULE,
        "why",
        True,
        "monitor",
        "ci",
        "sha256:00",
        "reader",
        "GET /a",
        "rev",
        "jobs.list",
    )
    told = {
        "decision": "allow",
        "enforced": True,
        "mode": "monitor",
        "reason": "allowed_by_rule",
        "detail": "why",
        "subject": "ci",
        "fingerprint": "sha256:00",
        "rule_set": "reader",
        "rule": "GET /a",
        "policy_revision": "rev",
        "operation": "jobs.list",
    }
    assert decision_fields(decision) == told
    denied = decision._replace(allow=False, enforced=False)
    assert decision_fields(denied) == told | {"decision": "deny", "enforced": False}
    assert decision_fields(Decision(False, Reason.EXPIRED, "x")) == {
        **dict.fromkeys(told),
        "decision": "deny",
        "enforced": True,
        "mode": "enforce",
        "reason": "expired",
        "detail": "x",
    }


FACTS = {"params", "param_names", "principal", "grant", "host_workspace", "params_sent", "readings", "batch"}


def facts(**more: Any) -> dict[str, Any]:
    """Those fields of a record that say what a decision looked at beyond the head of the call."""
    found = recorded(Decision(True, Reason.ALLOWED_BY_RULE, "", **more), (SECRET,), KEY)
    return {name: value for name, value in found.items() if name in FACTS}


def recorded(decision: Decision, secrets: tuple[bytes, ...] = (), key: DigestKey = KEY) -> dict[str, Any]:
    return decision_record(
        decision,
        "i-1",
        "10.0.0.1",
        host="h",
        method="GET",
        path="/a",
        workspace="17",
        has_body=False,
        user_agent="sdk/1",
        secrets=secrets,
        key=key,
    )


@pytest.mark.parametrize("allow", [True, False])
def test_a_record_of_a_call_says_what_was_decided_and_asked(allow: bool) -> None:
    decision = Decision(allow, Reason.EXPIRED, "why", subject="ci", policy_revision="rev")
    found = recorded(decision)
    assert decision_fields(decision).items() <= found.items()
    assert (
        found.items()
        >= {
            "client_address": "10.0.0.1",
            "decision_id": "i-1",
            "server_address": "h",
            "method": "GET",
            "path": "/a",
            "workspace": "17",
            "has_body": False,
            "user_agent": "sdk/1",
        }.items()
    )


def test_a_record_has_its_fields_in_the_order_in_which_they_are_written() -> None:
    names = list(recorded(Decision(True, Reason.ALLOWED_BY_RULE, "")))
    assert names == sorted(names)


def test_what_stands_in_a_record_only_where_it_applies() -> None:
    plain = recorded(Decision(True, Reason.ALLOWED_BY_RULE, ""))
    decision = Decision(
        True,
        Reason.ALLOWED_BY_RULE,
        "",
        sent={"path": "/Users/me", "name": TOKEN},
        readings=("as it stands", "decoded twice"),
        batch=("a.b", None),
        credential="c",
    )
    assert {name: value for name, value in recorded(decision).items() if name not in plain} == {
        "params_sent": {"path": "/Users/me", "name": text(TOKEN)},
        "readings": ["as it stands", "decoded twice"],
        "batch": ["a.b", None],
        "credential": "c",
    }


def test_a_decision_that_looked_at_nothing() -> None:
    assert facts() == {
        "params": {},
        "param_names": None,
        "principal": None,
        "grant": None,
        "host_workspace": None,
    }


def test_who_it_was_by_claims() -> None:
    found = facts(principal=Principal("https://i", "c\x1b", None), grant="refresh", host_workspace="17")
    assert found["principal"] == {"issuer": "https://i", "client_id": "c\\x1b", "sub": None}
    assert (found["grant"], found["host_workspace"]) == ("refresh", "17")
    assert facts(host_workspace="1" * 30)["host_workspace"] == "1" * 20
    assert facts(host_workspace="\x1b")["host_workspace"] == "\\x1b"


def text(value: str) -> dict[str, str]:
    return {"hmac_sha256": KEY.digest(value)}


# a value, and how it is told
VALUES: dict[str, tuple[Any, Any]] = {
    "nothing": (None, None),
    "true": (True, True),
    "false": (False, False),
    "a number": (1012, 1012),
    "a negative number": (-1012, -1012),
    "the largest number": (2**53 - 1, 2**53 - 1),
    "a number that readers of JSON round": (2**53, str(2**53)),
    "a negative one": (-(2**53), str(-(2**53))),
    "a number that is no integer": (Number("1.50"), {"number": "1.50"}),
    "a long number": (Number("1." + "5" * 400), {"number": "1." + "5" * 254}),
    "text": ("main", "main"),
    "empty text": ("", ""),
    "the longest text": ("a" * 256, "a" * 256),
    "a longer text": ("a" * 257, {"text": "a" * 256, **text("a" * 257)}),
    "odd text": ("caf\u00e9", {"text": "caf\\xe9", **text("caf\u00e9")}),
    "a token": (TOKEN, text(TOKEN)),
    "the secret of the call": (f"x {SECRET.decode()}", text(f"x {SECRET.decode()}")),
    "what can be compared with nothing": ([[]], [[]]),
    "a list": (["a", 1, None, True], ["a", 1, None, True]),
    "an empty list": ([], []),
    "a list in a list": ([["a", TOKEN], "b"], [[], "b"]),
    "a list with a token": (["a", TOKEN], ["a", text(TOKEN)]),
    "a list with a secret": ([SECRET.decode()], [text(SECRET.decode())]),
    "the longest list": (["a"] * 20, ["a"] * 20),
    "a longer list": (["a"] * 21, {"elements": 21, **text(repr(["a"] * 21))}),
    "an object": ({"b": 1, "a": {"c": TOKEN}}, {"keys": ["a", "b"]}),
    "an empty object": ({}, {"keys": []}),
    "an object whose key is a token": ({TOKEN: 1}, {"keys": [f"hmac_sha256:{KEY.digest(TOKEN)}"]}),
    "an object whose key is a secret": (
        {SECRET.decode(): 1},
        {"keys": [f"hmac_sha256:{KEY.digest(SECRET.decode())}"]},
    ),
    "an object whose key is odd": ({"\x1b": 1}, {"keys": [f"hmac_sha256:{KEY.digest(chr(27))}"]}),
    "an object whose key is long": ({"k" * 257: 1}, {"keys": [f"hmac_sha256:{KEY.digest('k' * 257)}"]}),
    "an object of the longest key": ({"k" * 256: 1}, {"keys": ["k" * 256]}),
    "the largest object": ({f"k{n:03}": n for n in range(100)}, {"keys": [f"k{n:03}" for n in range(100)]}),
    "a larger object": (
        {f"k{n:03}": n for n in range(101)},
        {"elements": 101, **text(repr([f"k{n:03}" for n in range(101)]))},
    ),
}


@pytest.mark.parametrize(("value", "told"), VALUES.values(), ids=VALUES)
def test_a_parameter_is_told_bounded_and_comparable(value: Any, told: Any) -> None:
    assert facts(params={"name": value, "other": 1})["params"] == {"name": told, "other": 1}


def test_the_names_of_all_parameters() -> None:
    assert facts(names=frozenset({"b", "a"}))["param_names"] == ["a", "b"]
    assert facts(names=frozenset())["param_names"] == []
    odd = facts(names=frozenset({TOKEN, SECRET.decode(), "\x1b", "ok"}))["param_names"]
    assert sorted(odd) == odd
    assert set(odd) == {
        "ok",
        *(f"hmac_sha256:{KEY.digest(each)}" for each in (TOKEN, SECRET.decode(), "\x1b")),
    }
    many = [f"n{number:03}" for number in range(101)]
    assert facts(names=frozenset(many[:100]))["param_names"] == many[:100]
    assert facts(names=frozenset(many))["param_names"] == [f"hmac_sha256:{KEY.digest(repr(many))}"]


# -- text -----------------------------------------------------------------------------------------------------------


def test_the_longest_text() -> None:
    assert printable("a" * 2048) == "a" * 2048
    assert printable("a" * 2049) == "a" * 2045 + "..."
    assert printable("\x1b" * 1000) == ("\\x1b" * 1000)[:2045] + "..."
    assert is_clean("a" * 2048)
    assert not is_clean("a" * 2049)


@pytest.mark.parametrize("char", ["\x00", "\x7f", "\xff", "\u0100", "\U0010ffff", " ", "~"])
def test_a_text_is_clean_if_each_character_is_printable_ascii(char: str) -> None:
    assert is_clean(f"a{char}b") is (printable(f"a{char}b") == f"a{char}b")


def test_how_often_something_may_be_encoded() -> None:
    """What is decoded five times is looked at each time; what is encoded more often is not told at all."""
    plain = "%41"
    for times in range(5):
        shown = plain.replace("%", "%25" + "25" * (times - 1)) if times else plain
        assert printable(shown) == (shown if times < 4 else "[redacted]")
        assert not is_clean(shown)
    assert printable("100%") == "100%"
    assert printable("%zz") == "%zz"


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_a_token_behind_encoding_is_not_told(times: int) -> None:
    hidden = TOKEN.replace("d", "%64", 1)
    for _ in range(times - 1):
        hidden = hidden.replace("%", "%25")
    assert printable(f"/x/{hidden}") == "[redacted]"
    own = SECRET.decode().replace("-", "%2D", 1)
    assert printable(f"/x/{own}", (SECRET,)) == "[redacted]"


def test_clean_text_holds_nothing_that_would_be_changed() -> None:
    assert is_clean("/api/2.0/jobs tool/1.0")
    assert is_clean("/api", (SECRET,))
    for dirty in ("a%20b", "a\n", "caf\u00e9", TOKEN, f"x{SECRET.decode()}y"):
        assert not is_clean(dirty, (SECRET,))
