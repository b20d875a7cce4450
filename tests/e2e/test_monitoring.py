"""What an operator sees of a real proxy, and that it is the truth."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from brickscope.core.reason import Reason
from brickscope.service.monitoring.collector import METRICS
from brickscope.service.monitoring.tally import UNKNOWN
from e2e.broken import broken_gate
from e2e.gate import CATALOGS, FORGED, HOST, TOKEN, WAREHOUSES, call_status, head, running_gate
from e2e.proxy_process import ProxyFailed, ProxyProcess, free_port
from e2e.raw_client import HUNG_UP, connect, dial, open_tls, read_h1, send_h1
from e2e.scrape import Metrics, Status, check_exposition


def test_what_is_counted_is_what_the_log_has(tmp_path: Path, proxy_authority: Path, status: Status) -> None:
    """Under load, scraped meanwhile."""
    with running_gate(tmp_path, proxy_authority, *status.option) as gate:
        mixes = [
            (CATALOGS, TOKEN),
            (WAREHOUSES, TOKEN),
            (CATALOGS, FORGED),
            ("/status/500", TOKEN),
            ("/a//b", TOKEN),
        ]

        def load() -> None:
            for target, token in mixes * 5:
                call_status(gate, target, token)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        seen = -1.0
        while any(thread.is_alive() for thread in threads):
            now = status.metrics().total("brickscope_decisions_total")
            assert now >= seen
            seen = now
        for thread in threads:
            thread.join()
        found = gate.proxy.wait_for(
            lambda: (m := status.metrics())("brickscope_calls_in_flight") == 0 and m, 20
        )
        assert isinstance(found, Metrics)
        logged = Counter(
            (record["subject"] or UNKNOWN, record["decision"], record["reason"])
            for record in gate.proxy.audit("decision")
        )
        counted = {
            key: found(
                "brickscope_decisions_total",
                subject=key[0],
                decision=key[1],
                reason=key[2],
                mode="enforce",
                enforced="true",
            )
            for key in logged
        }
        assert counted == logged
        assert found.total("brickscope_decisions_total") == sum(logged.values()) == 100
        outcomes = Counter(f"{record['status'] // 100}xx" for record in gate.proxy.audit("outcome"))
        assert {name: found("brickscope_outcomes_total", status=name) for name in outcomes} == outcomes
        assert found("brickscope_decision_seconds_count") == 100
        assert found("brickscope_call_duration_seconds_count") == sum(outcomes.values())
        assert found("brickscope_request_delay_seconds_count", body="no") == sum(outcomes.values())
        assert found("brickscope_upstream_wait_seconds_count") == sum(outcomes.values())
        assert found("brickscope_audit_records_total") == len(gate.proxy.audit())
        assert found("brickscope_audit_bytes_total") == gate.proxy.audit_file.stat().st_size
        assert found("brickscope_event_loop_lag_seconds_count") > 0
        assert found("brickscope_ca_expiry_timestamp_seconds") > 1.8e9
        assert found("brickscope_metrics_errors_total") == 0
        assert found("brickscope_ready") == found("brickscope_healthy") == 1


def test_calls_that_break_are_counted_by_side_and_leave_nothing_in_flight(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    upload = head("PUT", "/api/2.0/fs/files/x", "Content-Length: 100000")
    with running_gate(tmp_path, proxy_authority, *status.option) as gate:
        for index in range(20):
            with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
                send_h1(sock, upload + b"x" * index if index % 2 else head(target="/sse"))
                if index % 4 < 2:
                    gate.proxy.wait_for(lambda: gate.workspace.requests, 20)
            # and it hangs up, somewhere on the way
        gate.proxy.wait_for(lambda: status.metrics()("brickscope_calls_in_flight") == 0, 20)
        gate.proxy.wait_for(lambda: status.metrics().total("brickscope_connections_open") == 0, 20)
        found = status.metrics()
        # Also where it hung up while the connection to the workspace was being opened.
        assert found("brickscope_call_failures_total", cause="client") >= 15
        assert found("brickscope_call_failures_total", cause="connect") == 0
        assert found("brickscope_call_failures_total", cause="proxy") == 0
        broken = found.total("brickscope_call_failures_total")
        assert broken == sum("error" in record for record in gate.proxy.audit("outcome"))
    port = free_port()  # where nobody listens
    gone = ("--set", "scope_hosts=gone.example", "--set", f"scope_connect_to=gone.example=127.0.0.1:{port}")
    with running_gate(tmp_path / "gone", proxy_authority, *status.option, *gone) as gate:
        with open_tls(gate.proxy.proxy_url, "gone.example", ca=gate.ca) as sock:
            send_h1(sock, head(host="gone.example"))
            response = read_h1(sock, timeout=20)
        assert response is not None
        assert response.status == 502
        found = status.metrics()
        assert found("brickscope_call_failures_total", cause="connect") == 1
        assert found("brickscope_upstream_connect_failures_total") == 1
        assert found("brickscope_outcomes_total", status="none") == 1
        assert found("brickscope_calls_in_flight") == 0


HOSTILE = (
    b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n",
    b"\x16\x03\x01\x00\x05hello",
    b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"connect x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://169.254.169.254/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
    b"\x00\xff\r\n\r\n",
)


def test_hostile_clients_add_no_series_and_leave_no_trace(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_gate(tmp_path, proxy_authority, *status.option) as gate:
        dice = random.Random(7)
        tokens = [f"dapi{dice.getrandbits(128):032x}" for _ in range(60)]
        for index, token in enumerate(tokens):
            marked = f"/api/2.0/{token[4:]}"
            match index % 6:
                case 0:
                    call_status(gate, marked, token)
                case 1:
                    call_status(gate, CATALOGS, TOKEN, f"X-{token}: {token}", f"User-Agent: {token}")
                case 2:
                    call_status(gate, f"{marked}%2f..", token)
                case 3:
                    call_status(gate, CATALOGS, f"eyJ{token}.eyJ{token}.{token}")
                case 4:
                    call_status(gate, CATALOGS, token, method=f"M{token[4:12].upper()}")
                case _:
                    connect(gate.proxy.proxy_url, f"{token}.example.invalid:443").sock.close()
            if index == 17:
                first = status.metrics()
        for request in HOSTILE * 5:
            connect_raw(gate.proxy, request)
        last = status.metrics()
        allowed = {
            "subject": {"ci", UNKNOWN},
            "reason": {reason.value for reason in Reason} | set(NOT_READY),
            "decision": {"allow", "deny"},
            "mode": {"enforce"},
            "enforced": {"true"},
            "side": {"client", "server"},
            "cause": {"connect", "upstream", "client", "proxy", *GAPS},
            "status": {"1xx", "2xx", "3xx", "4xx", "5xx", "none"},
            "body": {"yes", "no"},
            "direction": {"request", "response"},
            "result": {"loaded", "unchanged", "failed", "fetched"},
        }
        for name, labels in last.series:
            for label, value in labels:
                if label in allowed:
                    assert value in allowed[label], (name, labels)
                else:
                    assert label in ("le", "revision", "version", "mitmproxy", "python"), (name, labels)
        # 18 tokens had made every kind of series that 42 more, and worse, could make.
        new = {
            name for name in last.series.keys() - first.series.keys() if name[0] != "brickscope_tunnels_total"
        }
        assert {name for name, _ in new} <= {"brickscope_decisions_total"}
        assert len(last.series) < 400
        for token in (*tokens, TOKEN):
            for trace in (
                token,
                token[4:],
                sha256(token.encode()).hexdigest(),
                sha256(token.encode()).hexdigest()[:12],
            ):
                assert trace not in last.text
        assert "invalid" not in last.text
        assert last("brickscope_metrics_errors_total") == 0
        assert call_status(gate) == 200


NOT_READY = (
    "gate_missing",
    "not_listening",
    "draining",
    "policy_empty",
    "audit_failing",
    "audit_moved",
    "disk_full",
)
GAPS = ("torn_line", "lost_tail", "write_failed", "file_replaced", "retention")


def connect_raw(proxy: ProxyProcess, request: bytes) -> None:
    """Send bytes to the proxy's own port, and see the connection closed or answered."""
    with contextlib.suppress(*HUNG_UP), dial(proxy.proxy_url) as sock:
        sock.sendall(request)
        sock.recv(4096)


# -- metrics that fail ---------------------------------------------------------------------------------------------

BROKEN_METRICS = {
    "counts of decisions": "t.Tally._cell = broken",
    "all times": "import brickscope.service.monitoring.tally as d; d.Distribution.add = broken",
    "the numbers themselves": "gate.tally.__dict__.update(dict.fromkeys(gate.tally.__dict__))",
    "a scrape": "import brickscope.service.monitoring.collector as k; k._VALUES.clear(); k.family = broken",
}


@pytest.mark.parametrize("change", BROKEN_METRICS.values(), ids=BROKEN_METRICS)
def test_broken_metrics_change_no_decision(
    change: str, tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    if "gate.tally" in change:
        change = (
            "import brickscope.proxy.gate as g\ninit = g.Gate.__init__\n"
            f"def spoilt(gate, *a, **k):\n    init(gate, *a, **k)\n    {change}\ng.Gate.__init__ = spoilt"
        )
    change = f"import brickscope.service.monitoring.tally as t\n{change}"
    with broken_gate(tmp_path, proxy_authority, change, *status.option) as gate:
        for _ in range(3):
            got = [call_status(gate), call_status(gate, WAREHOUSES), call_status(gate, CATALOGS, FORGED)]
            assert got == [200, 403, 403]
        proxy = gate.proxy
        reasons = [record["reason"] for record in proxy.audit("decision")]
        assert reasons == ["allowed_by_rule", "no_rule_matches", "unknown_token"] * 3
        assert len(gate.workspace.requests) == 3
        assert status.get("/metrics").status in (200, 500)
        assert proxy.output.count("some numbers are wrong") <= 1
        assert proxy.output.count("in the status server") <= 1
        assert "some numbers are wrong" in proxy.output or "in the status server" in proxy.output
        assert "in the hook" not in proxy.output


# -- the status server beside the proxy ----------------------------------------------------------------------------


def test_stuck_scrapers_stop_neither_calls_nor_health(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_gate(tmp_path, proxy_authority, *status.option) as gate, contextlib.ExitStack() as stack:
        for index in range(100):
            stack.enter_context(status.stuck(b"" if index % 2 else b"GET /metrics HTTP/1.1\r\nX-Slow: "))
        assert call_status(gate) == 200
        assert status.get("/healthz").status == 200
        assert status.metrics()("brickscope_ready") == 1


@pytest.mark.parametrize("allowed", [(), ("--set", "scope_allow_addresses=127.0.0.0/8,::1/128")])
def test_no_client_reaches_it_through_the_proxy(
    allowed: tuple[str, ...], tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_gate(tmp_path, proxy_authority, *status.option, *allowed) as gate:
        targets = [f"127.0.0.1:{status.port}", f"localhost:{status.port}", f"127.0.0.2:{status.port}"]
        for target in targets:
            with connect(gate.proxy.proxy_url, target).sock as sock, contextlib.suppress(*HUNG_UP):
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b"brickscope_" not in sock.recv(65536)
            with dial(gate.proxy.proxy_url) as sock:
                sock.sendall(f"GET http://{target}/metrics HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
                answer = read_h1(sock)
            assert answer is None or answer.status != 200
            assert answer is None or b"brickscope_build" not in answer.body
        assert status.get("/healthz").status == 200
        refused = {record["reason"] for record in gate.proxy.audit("tunnel") if record["decision"] == "deny"}
        # (what follows a refused CONNECT is a request to the proxy itself, outside TLS)
        assert "address_not_allowed" in refused
        assert refused <= {"address_not_allowed", "not_encrypted"}


START_ERRORS = {
    "no address": ("scope_status=9464", "scope_status: '9464' is not an address and port"),
    "a path that is none": ("scope_status=unix:x", "is not an absolute path"),
    "a port that is taken": ("scope_status=127.0.0.1:{taken}", "Address already in use"),
    "a format that is none": ("scope_log_format=xml", "scope_log_format: 'xml' is neither text nor json"),
}


@pytest.mark.parametrize(("option", "message"), START_ERRORS.values(), ids=START_ERRORS)
def test_what_can_not_be_is_said_at_start(
    option: str, message: str, tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with (
        status_taken(status),
        pytest.raises(ProxyFailed) as failed,
        running_gate(tmp_path, proxy_authority, "--set", option.format(taken=status.port)),
    ):
        pass
    assert message in str(failed.value)
    assert "Traceback" not in str(failed.value)


@contextlib.contextmanager
def status_taken(status: Status) -> Iterator[None]:
    """The port is somebody else's."""
    with socket.create_server(("127.0.0.1", status.port)):
        yield


def test_an_address_that_others_can_reach_is_warned_of(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_gate(tmp_path, proxy_authority, "--set", f"scope_status=0.0.0.0:{status.port}") as gate:
        assert "restrict it to Prometheus by a firewall or NetworkPolicy" in gate.proxy.output
        assert status.reasons() == []


# -- messages ------------------------------------------------------------------------------------------------------


def test_messages_as_json_hold_no_token_whoever_wrote_them(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    options = ("--set", "scope_log_format=json", "--set", "termlog_verbosity=debug")
    with running_gate(tmp_path, proxy_authority, *status.option, *options) as gate:
        for index in range(12):
            call_status(gate, f"/{FORGED}?x={FORGED}", FORGED, f"X-{FORGED}: {FORGED}")
            connect_raw(
                gate.proxy,
                f"CONNECT {FORGED}:443 HTTP/1.1\r\nAuthorization: Bearer {FORGED}\r\n\r\n".encode(),
            )
            connect_raw(gate.proxy, f"GET {FORGED} HTTP/9.9\r\n{FORGED}\r\n\r\n".encode())
            connect_raw(gate.proxy, f"\x16\x03{FORGED * index}".encode())
        (tmp_path / "rules" / "policy.yaml").write_text(
            f"version: 1\ntokens: {{x: {{fingerprint: {FORGED}}}}}\n"
        )
        gate.proxy.wait_for(lambda: '"policy_failed"' in gate.proxy.output, 20)
        gate.proxy.stop()
        lines = gate.proxy.output.splitlines()
        assert lines[0].endswith("scope.py")  # mitmproxy's, before the script could say anything
        messages = [json.loads(line) for line in lines[1:]]
        assert {message["event"] for message in messages} >= {
            "started",
            "listening",
            "policy_failed",
            "option_warning",
        }
        for message in messages:
            assert message["time"].endswith("Z")
            assert message["level"] in ("debug", "info", "warning", "error", "alert")
        assert FORGED not in gate.proxy.output
        assert FORGED[4:] not in gate.proxy.output


def test_a_start_that_fails_is_json_too(tmp_path: Path, proxy_authority: Path) -> None:
    with (
        pytest.raises(ProxyFailed) as failed,
        running_gate(tmp_path, proxy_authority, "--set", "scope_log_format=json", policy="version: 2\n"),
    ):
        pass
    last = json.loads(str(failed.value).strip().splitlines()[-1])
    assert (last["event"], last["level"]) == ("start_failed", "error")
    assert "version" in last["message"]


def test_every_metric_is_in_a_scrape(tmp_path: Path, proxy_authority: Path, status: Status) -> None:
    with running_gate(tmp_path, proxy_authority, *status.option):
        text = status.get("/metrics").body
        for metric in METRICS:
            assert f"# TYPE {metric.name} {metric.kind}\n" in text, metric.name
        assert "process_resident_memory_bytes" in text
        check_exposition(text)
