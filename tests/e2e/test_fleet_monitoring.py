"""What the supervisor says of its workers."""

from __future__ import annotations

import os
import signal
import socket
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from brickscope.service.monitoring.collector import FLEET_METRICS, METRICS
from brickscope.service.supervisor.channel import FOLDER
from e2e.fleet_process import Load, running_fleet, start_fleet
from e2e.gate import CATALOGS, HOST, POLICY, WAREHOUSES, head
from e2e.proxy_process import free_port
from e2e.raw_client import HUNG_UP, connect, open_tls, read_h1, send_h1
from e2e.scrape import Status, check_exposition
from lab.workspace.server import FakeWorkspace

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def status() -> Status:
    """A place for the status of a fleet that is yet to start."""
    return Status(free_port())


def test_all_workers_are_seen_each_by_itself(tmp_path: Path, proxy_authority: Path, status: Status) -> None:
    with running_fleet(tmp_path, proxy_authority, *status.option) as fleet:
        for target in (CATALOGS, WAREHOUSES) * 4:
            with open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file) as sock:
                send_h1(sock, head(target=target))
                assert read_h1(sock) is not None
        found = status.metrics()
        assert found.total("brickscope_decisions_total") == 8
        workers = {dict(labels)["worker"] for name, labels in found.series if name == "brickscope_build_info"}
        assert workers == {"1", "2"}
        for worker in workers:
            logged = len((fleet.proxy.folder / f"audit-{worker}.jsonl").read_bytes().splitlines())
            assert found("brickscope_audit_records_total", worker=worker) == logged
            assert found("brickscope_ready", worker=worker) == 1
        for metric in (*METRICS, *FLEET_METRICS):
            assert f"# TYPE {metric.name} {metric.kind}\n" in found.text, metric.name
        check_exposition(found.text)
        assert found("brickscope_workers", state="serving") == found("brickscope_workers_wanted") == 2
        assert found("brickscope_worker_starts_total") == 2
        assert found("brickscope_supervisor_process_resident_memory_bytes") > 1e6
        assert status.get("/healthz").json == {"healthy": True, "faults": []}
        assert status.reasons() == []
        # Only the supervisor's own user reaches the workers' sockets.
        environment = (
            Path(f"/proc/{next(iter(fleet.proxy.pids().values()))}/environ").read_bytes().split(b"\0")
        )
        folder = Path(
            next(line for line in environment if line.startswith(FOLDER.encode())).partition(b"=")[2].decode()
        )
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(list(folder.iterdir())) == 2
        assert fleet.proxy.stop() == 0
        assert not folder.exists()


def test_a_worker_that_is_stuck_shows_and_the_others_keep_the_fleet_ready(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_fleet(tmp_path, proxy_authority, *status.option) as fleet:
        stuck = fleet.proxy.pids()[1]
        os.kill(stuck, signal.SIGSTOP)
        try:
            answer = status.get("/healthz")
            assert (answer.status, answer.json["faults"]) == (503, ["worker 1: it does not answer"])
            answer = status.get("/readyz")
            assert (answer.status, [reason["reason"] for reason in answer.json["reasons"]]) == (
                200,
                ["no_answer"],
            )
            found = status.metrics()
            assert found("brickscope_worker_unreachable_total") >= 3
            assert found("brickscope_ready", worker="2") == 1
            assert found("brickscope_ready", worker="1") == -1
        finally:
            os.kill(stuck, signal.SIGCONT)
        fleet.proxy.wait_for(lambda: status.get("/healthz").status == 200)


def test_a_worker_that_dies_is_counted_and_its_successor_serves(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_fleet(tmp_path, proxy_authority, *status.option) as fleet:
        os.kill(fleet.proxy.pids()[2], signal.SIGKILL)
        fleet.proxy.wait_for(lambda: status.metrics()("brickscope_worker_starts_total") == 3)
        fleet.proxy.wait_for(lambda: status.metrics()("brickscope_ready", worker="2") == 1)
        assert status.metrics()("brickscope_worker_crashes_total") == 1
        assert status.reasons() == []


def test_it_stays_ready_through_a_rolling_restart_and_not_beyond(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    with running_fleet(tmp_path, proxy_authority, *status.option) as fleet:
        with Load(fleet.proxy.proxy_url, fleet.proxy.ca_file) as load:
            load.wait_for(20)
            fleet.proxy.process.send_signal(signal.SIGUSR2)
            while "all workers are new" not in fleet.proxy.output:
                assert status.get("/readyz").status == 200
            load.wait_for(20)
        assert load.failures == []
        with open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file) as sock:
            send_h1(sock, head("PUT", "/api/2.0/fs/files/x", "Content-Length: 1000000"))
            fleet.proxy.wait_for(lambda: status.metrics().total("brickscope_calls_in_flight") == 1)
            fleet.proxy.process.send_signal(signal.SIGTERM)
            fleet.proxy.wait_for(lambda: status.get("/readyz").status == 503)
            assert "draining" in [reason["reason"] for reason in status.get("/readyz").json["reasons"]]
            assert status.metrics().total("brickscope_calls_in_flight") == 1
        assert fleet.proxy.stop() == 0


def test_no_client_reaches_the_supervisors_status_through_a_worker(
    tmp_path: Path, proxy_authority: Path, status: Status
) -> None:
    allowed = ("--set", "scope_allow_addresses=127.0.0.0/8")
    with running_fleet(tmp_path, proxy_authority, *status.option, *allowed) as fleet:
        with connect(fleet.proxy.proxy_url, f"127.0.0.1:{status.port}").sock as sock:
            send_h1(sock, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            with suppress(*HUNG_UP):
                assert b"brickscope_" not in sock.recv(65536)
        assert {record["reason"] for record in fleet.proxy.audit("tunnel")} >= {"address_not_allowed"}
        assert status.get("/healthz").status == 200


def test_a_port_that_is_taken_is_said(tmp_path: Path, proxy_authority: Path, status: Status) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    with socket.create_server(("127.0.0.1", status.port)), FakeWorkspace.start() as workspace:
        proxy = start_fleet(tmp_path, proxy_authority, workspace, *status.option)
        try:
            assert proxy.process.wait(60) == 1
            assert (
                f"scope_status: can't listen on 127.0.0.1:{status.port}: Address already in use"
                in proxy.output
            )
            assert "Traceback" not in proxy.output
        finally:
            proxy.kill()
