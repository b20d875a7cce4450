"""Placeholders at the gate: what is sent in their place, what denies a call, and what a second look at one asks again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from made_gate import CATALOGS, POLICY, RULES, decisions, made, on_record

from brickscope.core.decision import Refused
from brickscope.core.entrusted import Entrusted, Kind, Source
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import BodyNeeded, NotYetKnown
from brickscope.core.placeholder import make_placeholder
from brickscope.core.policy import Grant, Login, Mode, Principals, Subject
from brickscope.core.reason import Reason
from brickscope.core.request import WireRequest, read_request
from brickscope.identity.store import CredentialNeeded, CredentialStore
from brickscope.log.writer import AuditWriter
from brickscope.proxy.gate import Gate, Verdict
from core.wire import HOST, TOKEN, h1, h1_headers

ADDRESS = "10.0.0.1"
HELD = make_placeholder(bytes(range(32))).encode()
REAL = b"dapi" + b"ca1ab1e5" * 4
ETL = Subject("etl", RULES, credential="c")
KNOWN = POLICY._replace(tokens={fingerprint(HELD): ETL, fingerprint(TOKEN): Subject("ci", RULES)})


def call(bearer: bytes = HELD, target: str = CATALOGS) -> WireRequest:
    fields = [
        (name, b"Bearer " + bearer if name == b"Authorization" else value) for name, value in h1_headers()
    ]
    return h1(target=target.encode(), headers=fields)


def entrusted(folder: Path, host: str = HOST) -> dict[str, Entrusted]:
    return {"c": Entrusted("c", Kind.TOKEN, Source(file=str(folder / "token")), frozenset({host}))}


@pytest.fixture
def gate(writer: AuditWriter, tmp_path: Path) -> Gate:
    (tmp_path / "token").write_bytes(REAL)
    return made(writer, KNOWN, credentials=CredentialStore(entrusted(tmp_path)))


def judged(gate: Gate, wire: WireRequest) -> Verdict:
    """As the data path does it: wait once."""
    try:
        return on_record(gate, wire, ADDRESS)
    except CredentialNeeded as needed:
        asyncio.run(gate.learn(needed))
        return on_record(gate, wire, ADDRESS, settled=(needed.url,))


# -- what is sent ----------------------------------------------------------------------------------------------------


def test_the_real_credential_is_sent_and_known_by_its_fingerprint_alone(gate: Gate) -> None:
    with pytest.raises(CredentialNeeded):
        on_record(gate, call(), ADDRESS)
    assert decisions(gate) == [], "nothing is recorded before"
    for _ in range(2):
        verdict = judged(gate, call())
        assert (verdict.decision.allow, verdict.decision.credential, verdict.secret) == (True, "c", REAL)
    assert [
        (each["decision"], each["credential"], each["credential_fingerprint"]) for each in decisions(gate)
    ] == [("allow", "c", fingerprint(REAL))] * 2
    assert REAL not in gate.writer.path.read_bytes()
    assert on_record(gate, call(TOKEN), ADDRESS).secret is None
    assert on_record(gate, call(target="/other"), ADDRESS).secret is None, (
        "nothing is fetched for what is denied"
    )


def test_where_it_may_not_be_used_nothing_is_sent(gate: Gate, tmp_path: Path) -> None:
    """Whether it may on this workspace is asked of the host, at this time, unless that was waited for already."""
    gate.credentials.swap(entrusted(tmp_path, "other.cloud.databricks.com"))
    verdict = judged(gate, call())
    decision = verdict.decision
    assert (decision.allow, decision.reason, verdict.secret) == (False, Reason.CREDENTIAL_NOT_ALLOWED, None)
    assert decision.detail.startswith("the operator's file does not let the credential 'c'")
    assert (decision.subject, decision.forwards) == ("etl", False)
    assert decisions(gate)[-1].get("credential_fingerprint") is None
    gate.credentials.swap(entrusted(tmp_path))
    assert judged(gate, call(target=f"{CATALOGS}?o=17")).decision.allow
    assert judged(gate, call(target=f"{CATALOGS}?o=18")).decision.reason is Reason.CREDENTIAL_NOT_ALLOWED
    asked: Any = gate.directory
    hosts = [each for each in asked.asked if len(each) == 2]
    assert {host for host, _ in hosts} == {HOST}
    assert all(abs(now - time.time()) < 60 for _, now in hosts)


def test_what_was_waited_for_and_is_not_there_is_not_waited_for_again(gate: Gate) -> None:
    with pytest.raises(CredentialNeeded) as needed:
        on_record(gate, call(), ADDRESS)
    verdict = on_record(gate, call(), ADDRESS, settled=(needed.value.url,))
    assert (verdict.decision.reason, verdict.secret) == (Reason.CREDENTIAL_UNAVAILABLE, None)


def test_a_source_that_fails_denies_the_call(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()
    verdict = judged(gate, call())
    assert (verdict.decision.reason, verdict.secret) == (Reason.CREDENTIAL_UNAVAILABLE, None)
    assert verdict.decision.detail.startswith("the credential 'c' can't be obtained: ")


def test_what_can_not_be_recorded_is_not_sent(gate: Gate) -> None:
    judged(gate, call())
    gate.writer.close()
    verdict = on_record(gate, call(), ADDRESS)
    assert (verdict.decision.reason, verdict.secret) == (Reason.AUDIT_UNAVAILABLE, None)


def test_who_has_the_real_credential_is_told_so_in_any_mode(gate: Gate) -> None:
    gate.swap(KNOWN._replace(mode=Mode.MONITOR))
    assert on_record(gate, call(REAL), ADDRESS).decision.reason is Reason.UNKNOWN_TOKEN, "nobody knows it yet"
    judged(gate, call())
    decision = on_record(gate, call(REAL), ADDRESS).decision
    assert (decision.allow, decision.forwards, decision.reason, decision.credential) == (
        False,
        False,
        Reason.PLACEHOLDER_BYPASSED,
        "c",
    )
    assert decision.detail == "this is the credential 'c' itself, for which there are placeholders"
    gate.swap(KNOWN._replace(tokens={**KNOWN.tokens, fingerprint(REAL): Subject("ci", RULES)}))
    assert on_record(gate, call(REAL), ADDRESS).decision.allow, "the policy names it"


def test_without_a_store_no_placeholder_is_worth_anything(writer: AuditWriter) -> None:
    decision = on_record(made(writer, KNOWN), call(), ADDRESS).decision
    assert (decision.reason, decision.detail) == (
        Reason.CREDENTIAL_NOT_ALLOWED,
        "the operator's file names no credential 'c'",
    )


def test_what_has_to_be_known_is_asked_of_who_knows_it(gate: Gate) -> None:
    asked: list[Any] = []

    async def learn(unknown: NotYetKnown) -> None:
        asked.append(unknown)

    gate.directory.learn = learn  # type: ignore[method-assign]
    unknown = NotYetKnown("https://keys.example")
    asyncio.run(gate.learn(unknown))
    asyncio.run(gate.learn(CredentialNeeded("credential:c:")))
    assert asked == [unknown]
    assert judged(gate, call()).secret == REAL


# -- a body that can't be held ---------------------------------------------------------------------------------------


def test_a_body_that_can_not_be_held_is_the_reason_of_a_denial(writer: AuditWriter) -> None:
    """Of a call that its rules would allow, too, since nobody looks into it; in ``monitor`` such a call goes on. A request
    for a token never does."""
    login = Login("cli", "databricks-cli", frozenset({Grant.REFRESH}))
    policy = POLICY._replace(principals=Principals({}, {}, (login,)))
    unread = Refused(Reason.TOO_LARGE, "the body is too large")
    form = [(b"Host", HOST.encode()), (b"Content-Type", b"application/x-www-form-urlencoded")]
    asking = h1(b"POST", b"/oidc/v1/token", [*form, (b"Content-Length", b"9")])
    for mode in Mode:
        gate = made(writer, policy._replace(mode=mode))
        with pytest.raises(BodyNeeded):
            on_record(gate, asking, ADDRESS)
        verdict = on_record(gate, call(TOKEN), ADDRESS, unread=unread)
        decision = verdict.decision
        assert (decision.allow, decision.reason, decision.subject) == (False, Reason.TOO_LARGE, "ci")
        assert decision.forwards is (mode is Mode.MONITOR)
        assert verdict.request is not None
        assert verdict.request.flaw == unread
        refused = on_record(gate, asking, ADDRESS, unread=unread).decision
        assert (refused.reason, refused.forwards) == (Reason.TOO_LARGE, False)
        marked = call(TOKEN, f"{CATALOGS}?access_token=x")
        first = on_record(gate, marked, ADDRESS, unread=unread).decision
        assert first.reason is Reason.MULTIPLE_CREDENTIALS, "what the head says comes first"


# -- a second look ---------------------------------------------------------------------------------------------------

Change = Callable[[Gate, Path], Any]


def subject(**changes: Any) -> Change:
    tokens = {**KNOWN.tokens, fingerprint(HELD): ETL._replace(**changes)}
    return lambda gate, folder: gate.swap(KNOWN._replace(tokens=tokens, revision="rev-2"))


AGAIN: dict[str, tuple[Change, str | None, WireRequest, Reason, str]] = {
    "nothing has changed": (
        lambda gate, folder: None,
        "c",
        call(),
        Reason.ALLOWED_BY_RULE,
        "a rule of the rule set allows it",
    ),
    "the source is down": (
        lambda gate, folder: (folder / "token").unlink(),
        "c",
        call(),
        Reason.ALLOWED_BY_RULE,
        "a rule of the rule set allows it",
    ),
    "it was sent as it came": (
        lambda gate, folder: gate.credentials.swap({}),
        None,
        call(TOKEN),
        Reason.ALLOWED_BY_RULE,
        "a rule of the rule set allows it",
    ),
    "on the workspace that the host is": (
        lambda gate, folder: None,
        "c",
        call(target=f"{CATALOGS}?o=17"),
        Reason.ALLOWED_BY_RULE,
        "a rule of the rule set allows it",
    ),
    "on another workspace": (
        lambda gate, folder: None,
        "c",
        call(target=f"{CATALOGS}?o=18"),
        Reason.CREDENTIAL_NOT_ALLOWED,
        "the operator's file does not let the credential 'c' be used on this workspace",
    ),
    "the policy names another credential": (
        subject(credential="d"),
        "c",
        call(),
        Reason.CREDENTIAL_NOT_ALLOWED,
        "the policy names another credential for it",
    ),
    "the policy names none any more": (
        lambda gate, folder: None,
        "c",
        call(TOKEN),
        Reason.CREDENTIAL_NOT_ALLOWED,
        "the policy names another credential for it",
    ),
    "the operator's file names it no more": (
        lambda gate, folder: gate.credentials.swap({}),
        "c",
        call(),
        Reason.CREDENTIAL_NOT_ALLOWED,
        "the operator's file names no credential 'c'",
    ),
    "the rules say otherwise, and another credential is named as well": (
        subject(rule_set=RULES._replace(allow=RULES.deny), credential="d"),
        "c",
        call(),
        Reason.NO_RULE_MATCHES,
        "rule set 'reader' has no rule that allows it",
    ),
    "its time is over": (
        subject(expires=1.0),
        "c",
        call(),
        Reason.EXPIRED,
        "the policy lets 'etl' act until 1970-01-01T00:00:01Z only",
    ),
    "its time is not over": (
        subject(expires=time.time() + 3600),
        "c",
        call(),
        Reason.ALLOWED_BY_RULE,
        "a rule of the rule set allows it",
    ),
    "the client may be elsewhere only": (
        subject(clients=(ip_network("10.9.0.0/16"),)),
        "c",
        call(),
        Reason.CLIENT_NOT_ALLOWED,
        f"the policy does not let 'etl' act from {ADDRESS}",
    ),
}


@pytest.mark.parametrize(("change", "sent", "wire", "reason", "detail"), AGAIN.values(), ids=AGAIN)
def test_a_second_look_at_a_call_under_way(
    gate: Gate,
    tmp_path: Path,
    change: Change,
    sent: str | None,
    wire: WireRequest,
    reason: Reason,
    detail: str,
) -> None:
    change(gate, tmp_path)
    decision = gate.judge_again(read_request(wire), ADDRESS, sent, ("https://x",))
    assert (decision.reason, decision.detail) == (reason, detail)
    assert decision.allow is (reason is Reason.ALLOWED_BY_RULE)
    assert decision.policy_revision == gate.policy.revision
    asked: Any = gate.directory
    assert asked.asked[0] == (("https://x",),)
    assert all(each[0] == HOST and abs(each[1] - time.time()) < 60 for each in asked.asked[1:])
    assert decisions(gate) == []


def test_a_second_look_may_have_to_wait_and_an_error_in_it_is_a_denial(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.swap(KNOWN._replace(principals=Principals({"sp": Subject("sp", RULES)})))
    with pytest.raises(NotYetKnown, match="keys"):
        gate.judge_again(read_request(call(b"eyJx.eyJy.z")), ADDRESS)

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError(TOKEN.decode())

    monkeypatch.setattr("brickscope.proxy.gate.decide", broken)
    decision = gate.judge_again(read_request(call()), ADDRESS)
    assert (decision.allow, decision.reason, decision.detail) == (
        False,
        Reason.INTERNAL_ERROR,
        "ZeroDivisionError inside the proxy",
    )
