"""The gate by itself: each decision is recorded before it counts, and errors are denials."""

from __future__ import annotations

import logging
import os
import time
from ipaddress import ip_network
from typing import Any

import pytest
from made_gate import CATALOGS, POLICY, RULES, Directory, decisions, made, on_record

from brickscope.core.decision import Decision, Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.operation import OperationRule
from brickscope.core.pending import BodyNeeded, NotYetKnown
from brickscope.core.policy import Grant, Login, Mode, Policy, Principals, Subject
from brickscope.core.reason import Reason
from brickscope.core.rule import Rule, RuleTable
from brickscope.core.template import parse_template
from brickscope.log.error import AuditError
from brickscope.log.key import DigestKey
from brickscope.log.writer import AuditWriter
from brickscope.proxy.denial import Asked
from brickscope.proxy.gate import Gate, Verdict, header
from brickscope.proxy.ruling import rule
from brickscope.proxy.wire.head import Cleared, Door, HeadScanner
from core.wire import HOST, TOKEN, h1, h1_headers
from log.written import records

# -- decisions -------------------------------------------------------------------------------------------------------


def test_an_allowed_call_is_recorded_and_told(gate: Gate) -> None:
    before = time.monotonic()
    fields = h1_headers((b"X-Databricks-Org-Id", b"17"), (b"Content-Length", b"3"))
    verdict = on_record(gate, h1(target=f"{CATALOGS}?o=17".encode(), headers=fields), "10.0.0.1")
    assert before <= verdict.started <= time.monotonic()
    assert verdict.decision.allow
    assert verdict.decision_id == f"{gate.writer.instance}-1"
    assert verdict.asked == Asked("GET", CATALOGS, HOST)
    assert verdict.request is not None
    assert verdict.request.path == CATALOGS
    (record,) = decisions(gate)
    shown = {
        name: value for name, value in record.items() if name not in ("time", "hash", "prev_hash", "schema")
    }
    assert shown == {
        "event": "decision",
        "seq": 1,
        "instance": gate.writer.instance,
        "decision_id": verdict.decision_id,
        "decision": "allow",
        "enforced": True,
        "mode": "enforce",
        "reason": "allowed_by_rule",
        "detail": "a rule of the rule set allows it",
        "subject": "ci",
        "fingerprint": fingerprint(TOKEN),
        "rule_set": "reader",
        "rule": f"GET {CATALOGS}",
        "policy_revision": "rev-1",
        "operation": None,
        "client_address": "10.0.0.1",
        "server_address": HOST,
        "method": "GET",
        "path": CATALOGS,
        "params": {},
        "param_names": None,
        "principal": None,
        "grant": None,
        "host_workspace": None,
        "workspace": "17",
        "has_body": True,
        "user_agent": "databricks-sdk-py/0.156.0 python/3.12.1 os/linux auth/pat",
    }
    assert gate.tally.decisions[("ci", True, "allowed_by_rule", "enforce", True)] == [1]
    assert sum(gate.tally.decision_s.counts) == 1


def test_each_call_has_an_id_of_its_own(gate: Gate) -> None:
    ids = [on_record(gate, h1(), "10.0.0.1").decision_id for _ in range(3)]
    assert ids == [f"{gate.writer.instance}-{number}" for number in (1, 2, 3)]


def test_what_has_no_reading_is_denied_and_recorded(gate: Gate) -> None:
    verdict = on_record(gate, h1(b"get", f"{CATALOGS}?x=1".encode()), "10.0.0.1")
    assert (verdict.decision.allow, verdict.decision.reason) == (False, Reason.METHOD_NOT_CANONICAL)
    assert verdict.request is None
    assert verdict.asked == Asked("get", CATALOGS, HOST)
    (record,) = decisions(gate)
    assert (record["decision"], record["policy_revision"]) == ("deny", "rev-1")
    assert (record["method"], record["path"], record["server_address"]) == ("get", CATALOGS, HOST)
    assert (record["workspace"], record["has_body"]) == (None, None)
    assert record["user_agent"] == "databricks-sdk-py/0.156.0 python/3.12.1 os/linux auth/pat"


def test_a_refusal_from_outside_counts_whatever_the_policy_says(gate: Gate) -> None:
    refused = Refused(Reason.MALFORMED_HEAD, "the request's head is malformed")
    verdict = on_record(gate, h1(), "10.0.0.1", refused)
    assert verdict.decision == refused.decision("rev-1")
    assert verdict.request is None
    assert decisions(gate)[0]["reason"] == "malformed_head"


def test_long_odd_texts_are_clipped_and_printable(gate: Gate) -> None:
    wire = h1(
        b"X" * 100,
        b"/a\x1b[2J" + b"b" * 5000,
        tunnel_host="h" * 300,
        headers=[(b"User-Agent", b"u\x1b" * 300)],
    )
    verdict = on_record(gate, wire, "10.0.0.1")
    record = decisions(gate)[0]
    assert (record["method"], len(record["server_address"]), len(record["user_agent"])) == (
        "X" * 32,
        256,
        256,
    )
    assert record["path"].startswith("/a\\x1b[2Jbbb")
    assert record["path"].endswith("...")
    assert record["user_agent"].startswith("u\\x1bu\\x1b")
    assert verdict.asked.host == "h" * 256
    on_record(
        gate, h1(headers=[*h1_headers()[:1], *h1_headers()[2:], (b"User-Agent", b"u" * 300)]), "10.0.0.1"
    )
    assert decisions(gate)[1]["user_agent"] == "u" * 256


def test_a_policy_that_is_swapped_counts_from_then_on(gate: Gate) -> None:
    on_record(gate, h1(), "10.0.0.1")
    gate.swap(POLICY._replace(tokens={}, revision="rev-2"))
    verdict = on_record(gate, h1(), "10.0.0.1")
    assert verdict.decision.reason is Reason.UNKNOWN_TOKEN
    assert [(each["policy_revision"], each["decision"]) for each in decisions(gate)] == [
        ("rev-1", "allow"),
        ("rev-2", "deny"),
    ]
    gate.record("policy", {"x": 1})
    assert gate.writer.revision == "rev-2"
    assert gate.tally.decisions[("(unknown)", False, "unknown_token", "enforce", True)] == [1]


def test_whether_a_denial_may_tell_more(writer: AuditWriter) -> None:
    assert on_record(made(writer), h1(), "10.0.0.1").asked.hints
    closed = made(writer, hints=False)
    assert on_record(closed, h1(), "10.0.0.1").asked == Asked("GET", CATALOGS, HOST, False, False)
    assert not on_record(closed, h1(b"get"), "10.0.0.1").asked.hints


def test_whom_to_ask_is_told_to_whoever_could_be_allowed(writer: AuditWriter) -> None:
    gate = made(writer)
    rule_sets = {
        name: each._replace(contact="the team of the set") for name, each in POLICY.rule_sets.items()
    }
    whole = POLICY._replace(contact="#data-platform")
    for policy, contact in (
        (POLICY, None),
        (whole, "#data-platform"),
        (whole._replace(rule_sets=rule_sets), "the team of the set"),
    ):
        gate.swap(policy)
        assert on_record(gate, h1(b"GET", b"/other"), "10.0.0.1").asked.contact == contact
        assert on_record(gate, h1(), "10.0.0.1").asked.contact is None, "nobody reads it"
        assert on_record(gate, h1(b"get"), "10.0.0.1").asked.contact is None, "nobody can allow it"


def test_a_request_for_a_token_is_told_apart(gate: Gate) -> None:
    for path, oauth in (
        ("/oidc/v1/token", True),
        ("/Oidc/x", True),
        ("/%6fidc/x", True),
        ("/oidc/jwks.json", False),
        ("/other", False),
    ):
        verdict = on_record(gate, h1(b"GET", path.encode()), "10.0.0.1")
        assert verdict.asked.oauth is oauth


BOUND = OperationRule("x.run", "x.run", (), frozenset())
WAITS = RULES._replace(operations={"x.run": (BOUND,)})
CATALOGUE = RuleTable([Rule("POST", parse_template("/run"), "x.run")])


def test_nothing_is_recorded_while_something_has_to_be_had_first(writer: AuditWriter) -> None:
    gate = made(
        writer,
        Policy(
            {fingerprint(TOKEN): Subject("ci", WAITS)},
            {},
            Mode.ENFORCE,
            "rev",
            Principals({"sp": Subject("sp", RULES)}),
            CATALOGUE,
        ),
    )
    wire = h1(b"POST", b"/run", h1_headers((b"Content-Length", b"2")))
    with pytest.raises(BodyNeeded):
        on_record(gate, wire, "10.0.0.1")
    oauth = [
        (name, b"Bearer eyJx.eyJy.z" if name == b"Authorization" else value) for name, value in h1_headers()
    ]
    with pytest.raises(NotYetKnown, match="keys"):
        on_record(gate, h1(headers=oauth), "10.0.0.1")
    assert gate.writer.path.read_bytes() == b""
    assert on_record(gate, wire, "10.0.0.1", body=b"{}").decision.allow
    assert [each["decision"] for each in decisions(gate)] == ["allow"]


def test_what_was_waited_for_is_handed_to_the_directory(writer: AuditWriter) -> None:
    known = POLICY._replace(tokens={fingerprint(TOKEN): Subject("ci", RULES, workspaces=frozenset({HOST}))})
    gate = made(writer, known)
    wire = h1(target=f"{CATALOGS}?o=17".encode())
    assert on_record(gate, wire, "10.0.0.1").decision.allow
    on_record(gate, wire, "10.0.0.1", settled={"https://x"})
    plain, waited, settled = gate.directory.asked  # type: ignore[attr-defined]
    assert (plain[0], settled[0]) == (HOST, HOST)
    assert abs(plain[1] - time.time()) < 60
    assert waited == ({"https://x"},)


# -- errors ----------------------------------------------------------------------------------------------------------


def test_an_error_inside_is_a_denial_that_quotes_nothing(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError(TOKEN.decode())

    monkeypatch.setattr("brickscope.proxy.gate.decide", broken)
    verdict = on_record(gate, h1(), "10.0.0.1")
    assert verdict.decision == Decision(
        False, Reason.INTERNAL_ERROR, "ZeroDivisionError inside the proxy", policy_revision="rev-1"
    )
    assert decisions(gate)[0]["reason"] == "internal_error"
    assert TOKEN.decode() not in caplog.text + gate.writer.path.read_text()
    (line,) = caplog.records
    assert line.getMessage() == "Brickscope: ZeroDivisionError while a request was judged; it was denied"
    assert (line.levelno, line.__dict__["event"]) == (logging.ERROR, "hook_failed")


def test_a_call_that_cannot_be_recorded_is_denied(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails on the way to the log; of a log that can't be written its writer tells once, and no call again."""
    denied = Decision(
        False, Reason.AUDIT_UNAVAILABLE, "the audit log can't be written", policy_revision="rev-1"
    )

    def broken(event: str, fields: Any) -> None:
        raise ValueError(TOKEN.decode())

    with monkeypatch.context() as patch:
        patch.setattr(gate.writer, "keep", broken)
        verdict = on_record(gate, h1(), "10.0.0.1")
    assert verdict.decision == denied
    assert [line.getMessage() for line in caplog.records] == [
        "Brickscope: a call was denied because its record could not be written: ValueError"
    ]
    assert caplog.records[0].__dict__["event"] == "unrecorded"
    assert gate.tally.decisions[("(unknown)", False, "audit_unavailable", "enforce", True)] == [1]
    caplog.clear()
    with monkeypatch.context() as patch:
        patch.setattr("brickscope.proxy.gate._describe", broken)
        verdict = on_record(gate, h1(), "10.0.0.1")
        assert (verdict.decision, verdict.asked) == (denied, Asked("", "", ""))
    caplog.clear()

    def full(lines: bytes) -> None:
        raise AuditError("the audit log x can't be written: No space left on device")

    monkeypatch.setattr(gate.writer._file, "write", full)
    for _ in range(3):
        assert on_record(gate, h1(), "10.0.0.1").decision == denied
    assert [line.__dict__["event"] for line in caplog.records] == ["audit_failing"]


def test_a_log_that_can_not_be_written_is_told_of_once_whatever_is_recorded(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """It was deleted, and no new one can be made: a line for each connection would fill the other disk too."""
    gate.writer.path.unlink()
    gate.writer.path.mkdir()
    for _ in range(3):
        gate.record("timeout", {"cause": "head"})
        gate.record_outcome({"decision_id": "0-1", **OUTCOME})
        assert on_record(gate, h1(), "10.0.0.1").decision.reason is Reason.AUDIT_UNAVAILABLE
    assert [line.__dict__["event"] for line in caplog.records] == ["audit_failing"]


def test_what_is_said_of_a_record_that_fails_is_no_text_of_an_error(
    gate: Gate, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold what a client sent."""

    def broken(event: str, fields: Any) -> None:
        raise ValueError(TOKEN.decode())

    monkeypatch.setattr(gate.writer, "keep", broken)
    gate.record("timeout", {})
    (line,) = caplog.records
    assert line.getMessage() == "Brickscope: a timeout record could not be written: ValueError"


def test_an_audit_error_of_a_log_that_is_written_is_told_each_time(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.writer.close()
    for _ in range(2):
        assert on_record(gate, h1(), "10.0.0.1").decision.reason is Reason.AUDIT_UNAVAILABLE
    assert [line.getMessage() for line in caplog.records] == [
        "Brickscope: a call was denied because its record could not be written: "
        f"the audit log {gate.writer.path} is closed"
    ] * 2


def test_a_record_that_no_call_waits_for_is_only_reported(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.record("outcome", {"decision_id": "x", "status": 200})
    assert [each["event"] for each in map(dict, _raw(gate))] == ["outcome"]
    gate.writer.close()
    gate.record("outcome", {"decision_id": "x"})
    (line,) = caplog.records
    assert line.getMessage() == (
        f"Brickscope: a outcome record could not be written: the audit log {gate.writer.path} is closed"
    )
    assert (line.levelno, line.__dict__["event"]) == (logging.ERROR, "unrecorded")


def _raw(gate: Gate) -> list[dict[str, Any]]:
    import orjson

    return [orjson.loads(line) for line in gate.writer.path.read_bytes().splitlines()]


def test_a_tunnel_is_recorded(gate: Gate) -> None:
    decision = gate.refuse(Reason.PORT_NOT_ALLOWED, "only port 443 is reached")
    assert decision == Decision(
        False, Reason.PORT_NOT_ALLOWED, "only port 443 is reached", policy_revision="rev-1"
    )
    decision_id = gate.record_tunnel(decision, "10.0.0.1", "ev\x1bil." + "h" * 300, 8443)
    assert decision_id == f"{gate.writer.instance}-1"
    (record,) = records(gate.writer.path)
    assert (record["event"], record["decision_id"], record["reason"]) == (
        "tunnel",
        decision_id,
        "port_not_allowed",
    )
    assert (record["client_address"], record["server_port"]) == ("10.0.0.1", 8443)
    assert record["server_address"].startswith("ev\\x1bil.h")
    assert len(record["server_address"]) == 256
    assert gate.tally.tunnels[(False, "port_not_allowed")] == 1
    gate.writer.close()
    with pytest.raises(AuditError):
        gate.record_tunnel(decision, "10.0.0.1", "h", 1)
    assert gate.tally.tunnels[(False, "port_not_allowed")] == 1


def test_a_header_by_its_name() -> None:
    fields = [(b"A", b"1"), (b"a", b"2"), (b"B", b"3")]
    assert (header(fields, b"a"), header(fields, b"b"), header(fields, b"c")) == (b"1", b"3", b"")


def test_a_workspace_that_is_odd_is_told_printable(gate: Gate) -> None:
    for query, shown in (
        ("?o=17", "17"),
        ("?o=%1B", "\\x1b"),
        ("?o=" + "7" * 64, "7" * 64),
        ("?o=" + "7" * 65, "7" * 64),
    ):
        on_record(gate, h1(target=f"/a{query}".encode()), "10.0.0.1")
        assert decisions(gate)[-1]["workspace"] == shown
    on_record(gate, h1(target=b"/a"), "10.0.0.1")
    assert decisions(gate)[-1]["workspace"] is None


def test_a_token_request_is_judged_with_its_body(writer: AuditWriter) -> None:
    login = Login("cli", "databricks-cli", frozenset({Grant.REFRESH}))
    gate = made(writer, POLICY._replace(principals=Principals({}, {}, (login,))))
    fields = [(b"Host", HOST.encode()), (b"Content-Type", b"application/x-www-form-urlencoded")]
    body = b"grant_type=refresh_token&client_id=databricks-cli&refresh_token=a-secret-of-mine"
    verdict = on_record(gate, h1(b"POST", b"/oidc/v1/token", fields), "10.0.0.1", body=body)
    assert (verdict.decision.allow, verdict.asked.oauth) == (True, True)
    (record,) = decisions(gate)
    assert (record["grant"], record["principal"]) == (
        "refresh",
        {"issuer": None, "client_id": "databricks-cli", "sub": None},
    )
    assert b"a-secret-of-mine" not in writer.path.read_bytes()


# -- what a decision is made with ------------------------------------------------------------------------------------


def test_the_clients_address_counts(writer: AuditWriter) -> None:
    bound = Subject("ci", RULES, clients=(ip_network("10.0.0.0/24"),))
    gate = made(writer, POLICY._replace(tokens={fingerprint(TOKEN): bound}))
    assert on_record(gate, h1(), "10.0.0.1").decision.allow
    assert on_record(gate, h1(), "10.0.1.1").decision.reason is Reason.CLIENT_NOT_ALLOWED
    assert [each["client_address"] for each in decisions(gate)] == ["10.0.0.1", "10.0.1.1"]


def test_a_verdict_has_all_its_fields(gate: Gate) -> None:
    """It is made without the check of its own constructor, as is the leave to send a call."""
    verdict = gate.judge(h1(), "10.0.0.1")
    assert Verdict(*verdict) == verdict
    assert Asked(*verdict.asked) == verdict.asked == Asked("GET", CATALOGS, HOST)
    scanned = HeadScanner(Door(HOST, 443, HOST, b"http/1.1")).read(
        b"GET " + CATALOGS.encode() + b" HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n\r\n", 0
    )
    assert scanned is not None
    cleared = rule(gate, scanned, verdict)
    assert isinstance(cleared, Cleared)
    assert Cleared(*cleared) == cleared
    assert (cleared.decision_id, cleared.websocket) == (verdict.decision_id, None)


def test_how_long_a_decision_took_is_counted(gate: Gate) -> None:
    on_record(gate, h1(), "10.0.0.1")
    assert 0 <= gate.tally.decision_s.total < 60


def test_what_a_gate_was_made_of(writer: AuditWriter) -> None:
    destinations, digests = object(), DigestKey(b"k")
    gate = Gate(destinations, writer, POLICY, Directory(), digests)  # type: ignore[arg-type]
    assert (gate.destinations, gate.writer, gate.policy, gate.digests) == (
        destinations,
        writer,
        POLICY,
        digests,
    )
    assert (gate.hints, gate.draining, gate.body_limit) == (True, False, 16 * 1024 * 1024)


def test_an_outcome_is_written_at_once_where_nobody_calls_later(gate: Gate) -> None:
    gate.record_outcome({"decision_id": "0-1", **OUTCOME})
    (record,) = records(gate.writer.path)
    assert (record["event"], record["decision_id"]) == ("outcome", "0-1")


def test_outcomes_are_written_when_all_that_is_ready_had_its_turn(writer: AuditWriter) -> None:
    gate, due = made(writer), []
    gate.soon = due.append
    for number in range(3):
        gate.record_outcome({"decision_id": f"0-{number}", **OUTCOME})
    assert (len(due), records(writer.path)) == (1, [])
    due[0]()
    assert [each["event"] for each in records(writer.path)] == ["outcome"] * 3


def test_an_outcome_is_written_also_after_one_that_is_no_record(writer: AuditWriter) -> None:
    gate, due = made(writer), []
    gate.soon = due.append
    gate.record_outcome({"decision_id": object()})
    gate.record_outcome({"decision_id": "0-1", **OUTCOME})
    for each in due:
        each()
    assert [each["decision_id"] for each in records(writer.path)] == ["0-1"]


def test_outcomes_that_can_not_be_written_stop_nothing(
    writer: AuditWriter, caplog: pytest.LogCaptureFixture
) -> None:
    gate, due = made(writer), []
    gate.soon = due.append
    gate.record_outcome({"decision_id": "0-1", **OUTCOME})
    os.close(writer._file.fd)
    due[0]()
    assert [line.__dict__["event"] for line in caplog.records] == ["audit_failing"]
    writer._recover()
    writer._is_closed = True
    gate.record_outcome({"decision_id": "0-1", **OUTCOME})
    assert f"a outcome record could not be written: the audit log {writer.path} is closed" in caplog.text


OUTCOME = {"duration_ms": 1.5, "request_bytes": 0, "response_bytes": 2, "status": 200}
