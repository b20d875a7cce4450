"""Whether a proxy says truly that it can serve, and that it is what it was."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from brickscope.service.monitoring.tally import UNKNOWN
from e2e.broken import broken_gate
from e2e.gate import HOST, POLICY, call_status, head, running_gate
from e2e.raw_client import open_tls, send_h1
from e2e.scrape import Status


def test_a_full_disk_is_not_ready_and_says_so_and_heals_without_a_call(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("a disk of its own, which gets full, needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        with running_gate(
            tmp_path / "x", proxy_authority, *status.option, audit_file=disk / "audit.jsonl"
        ) as gate:
            assert status.reasons() == []
            filler = disk / "filler"
            filler.write_bytes(b"x" * 3_500_000)
            assert status.reasons() == ["disk_full"]  # before the first call is denied
            with pytest.raises(OSError, match="No space left"):
                filler.write_bytes(b"x" * 5_000_000)
            gate.proxy.wait_for(lambda: call_status(gate) == 403, 20)
            assert status.reasons() == ["audit_failing", "disk_full"]
            answer = status.get("/readyz")
            assert answer.status == 503
            assert "No space left on device" in answer.body or "the disk may be full" in answer.body
            found = status.metrics()
            assert found("brickscope_audit_failing") == 1
            assert found("brickscope_ready") == 0
            assert found("brickscope_not_ready", reason="disk_full") == 1
            assert found("brickscope_audit_write_failures_total") >= 1
            assert found("brickscope_audit_last_failure_timestamp_seconds") > 0
            assert found.total("brickscope_decisions_total", reason="audit_unavailable") >= 1
            assert status.get("/healthz").status == 200  # to start it anew would help nobody
            filler.unlink()
            gate.proxy.wait_for(lambda: status.reasons() == [], 20)
            assert status.metrics()("brickscope_audit_gaps_total", cause="write_failed") == 1
            assert call_status(gate) == 200
            (gap,) = gate.proxy.audit("gap")
            assert gap["denied"] == found.total("brickscope_decisions_total", reason="audit_unavailable")
    finally:
        subprocess.run(["umount", disk], check=False)


def test_a_log_that_leads_to_a_full_device_is_not_ready(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_gate(tmp_path, proxy_authority, *status.option) as gate:
        assert call_status(gate) == 200
        gate.clear()
        gate.proxy.audit_file.rename(tmp_path / "moved.jsonl")
        gate.proxy.audit_file.symlink_to("/dev/full")
        gate.proxy.wait_for(lambda: "audit_failing" in status.reasons(), 20)
        assert call_status(gate) == 403
        assert gate.workspace.requests == []
        found = status.metrics()
        assert found("brickscope_audit_failing") == 1
        assert found("brickscope_ready") == 0


def test_a_log_that_was_moved_away_is_begun_anew_without_a_call(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_gate(tmp_path, proxy_authority, *status.option) as gate:
        gate.proxy.audit_file.rename(tmp_path / "moved.jsonl")
        gate.proxy.wait_for(lambda: gate.proxy.audit("gap"), 20)
        assert status.reasons() == []
        assert status.metrics()("brickscope_audit_gaps_total", cause="file_replaced") == 1


def test_an_edit_that_breaks_the_policy_is_a_flag_and_changes_nothing(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_gate(tmp_path, proxy_authority, *status.option) as gate:
        file = tmp_path / "rules" / "policy.yaml"
        before = status.metrics()
        assert before("brickscope_policy_load_failed") == 0
        file.write_text("version: 1\ntokens: {")
        gate.proxy.wait_for(lambda: status.metrics()("brickscope_policy_load_failed") == 1, 20)
        assert status.reasons() == []
        assert call_status(gate) == 200
        later = POLICY.replace("    rule_set: reader\n", "    rule_set: reader\n    expires: 2099-01-01\n")
        file.write_text(later)
        gate.proxy.wait_for(lambda: status.metrics()("brickscope_policy_load_failed") == 0, 20)
        found = status.metrics()
        assert found("brickscope_policy_reloads_total", result="failed") == 1
        assert found("brickscope_policy_reloads_total", result="loaded") == 1
        assert found("brickscope_policy_next_expiry_timestamp_seconds", subject="ci") == 4070908800
        revisions = [labels for name, labels in found.series if name == "brickscope_policy_info"]
        assert len(revisions) == 1
        assert revisions != [labels for name, labels in before.series if name == "brickscope_policy_info"]


def test_an_empty_policy_in_monitor_mode_is_ready(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    """The first day: nobody is known yet, and calls go on."""
    with running_gate(
        tmp_path, proxy_authority, *status.option, policy="version: 1\nmode: monitor\n"
    ) as gate:
        assert status.reasons() == []
        assert call_status(gate) == 200
        found = status.metrics()
        assert found("brickscope_policy_subjects") == 0
        counted = {
            "subject": UNKNOWN,
            "decision": "deny",
            "reason": "unknown_token",
            "mode": "monitor",
            "enforced": "false",
        }
        assert found("brickscope_decisions_total", **counted) == 1


def test_while_it_drains_it_is_not_ready_and_still_seen(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    # It has time to drain, or the scrapes would race with its end.
    with running_gate(tmp_path, proxy_authority, *status.option, "--set", "scope_stop_after=30") as gate:
        with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
            # An upload that does not come to its end.
            send_h1(sock, head("PUT", "/api/2.0/fs/files/x", "Content-Length: 1000000"))
            gate.proxy.wait_for(lambda: status.metrics()("brickscope_calls_in_flight") == 1, 20)
            gate.proxy.process.terminate()
            gate.proxy.wait_for(lambda: status.reasons() == ["draining"], 20)
            assert status.get("/healthz").status == 200
            found = status.metrics()
            assert found("brickscope_ready") == 0
            assert found("brickscope_not_ready", reason="draining") == 1
        assert gate.proxy.process.wait(40) == 0


# -- health --------------------------------------------------------------------------------------------------------

ENGINE = "from brickscope.proxy.engine import Engine"
TAKEN_AWAY = {
    "a hook that was replaced": f"{ENGINE}; Engine.client_connected = lambda self, client: None",
    "a hook that is gone": f"{ENGINE}; del Engine.server_connect",
    "an addon that is gone": "scope.addons.pop()",
    "an addon beside": "from mitmproxy import ctx; ctx.master.addons.add(type('X', (), {'request': lambda s, f: None})())",
    "another dispatcher": "from mitmproxy import ctx; ctx.master.addons.trigger_event = broken",
}


@pytest.mark.parametrize("change", TAKEN_AWAY.values(), ids=TAKEN_AWAY)
def test_a_gate_that_is_not_what_it_was_is_not_healthy(
    change: str, tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    # While the proxy runs, once a file is there.
    late = f"""
import threading, time, pathlib
def late():
    while not pathlib.Path({str(tmp_path / "now")!r}).exists():
        time.sleep(0.05)
    {change}
threading.Thread(target=late, daemon=True).start()
"""
    with broken_gate(tmp_path, proxy_authority, late, *status.option) as gate:
        assert status.get("/healthz").json == {"healthy": True, "faults": []}
        assert status.reasons() == []
        (tmp_path / "now").touch()
        gate.proxy.wait_for(lambda: status.get("/healthz").status == 503, 20)
        assert status.get("/healthz").json["faults"]
        assert status.reasons() == ["gate_missing"]
        assert status.metrics()("brickscope_healthy") == 0
