"""Several workers on one port: they share the load, and none of them, nor the supervisor, takes a call with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

from e2e.fleet_process import Fleet, FleetProcess, Load, brickscope, running_fleet, start_fleet
from e2e.gate import CATALOGS, HOST, POLICY, TOKEN, head
from e2e.raw_client import H1Reader, dial, open_tls, read_h1, send_h1, tls
from lab.workspace.server import FakeWorkspace

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def fleet(tmp_path: Path, proxy_authority: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path, proxy_authority) as fleet:
        yield fleet


def verify(proxy: FleetProcess) -> None:
    """Each worker's log is whole, and one command reads them all."""
    for file in proxy.logs:
        checked = brickscope("audit", "verify", "--keys", proxy.folder / "confdir", file)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    summary = brickscope("audit", "summary", "--json", *proxy.logs)
    assert summary.returncode == 0, summary.stderr
    assert json.loads(summary.stdout)


def assert_recorded(fleet: Fleet) -> None:
    """Each call that the workspace saw has its decision, in whichever log."""
    seen = len(fleet.workspace.requests)
    decided = [record for record in fleet.proxy.audit("decision") if record["decision"] == "allow"]
    assert seen <= len(decided)


def test_workers_share_connections_evenly_and_all_logs_are_whole(fleet: Fleet) -> None:
    sockets = [open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file) for _ in range(8)]
    for each in sockets:
        assert send_h1(each, head())
        answer = read_h1(each)
        assert answer is not None
        assert answer.status == 200
    shares = Counter(record["instance"] for record in fleet.proxy.audit("decision"))
    assert sorted(shares.values()) == [4, 4]
    for each in sockets:
        each.close()
    assert fleet.proxy.stop() == 0
    stops = fleet.proxy.audit("stop")
    assert [record["cut"] for record in stops] == [0, 0]
    assert [file.name for file in fleet.proxy.logs] == ["audit-1.jsonl", "audit-2.jsonl"]
    verify(fleet.proxy)


def test_a_rolling_restart_breaks_no_call(fleet: Fleet) -> None:
    with Load(fleet.proxy.proxy_url, fleet.proxy.ca_file) as load:
        load.wait_for(50)
        for round_ in (1, 2):
            fleet.proxy.process.send_signal(signal.SIGUSR2)
            fleet.proxy.wait_for_line("all workers are new", round_)
            load.wait_for(50)
        fleet.proxy.wait_for_line(r"worker \d+ \(pid \d+\) ended\n", 4)
        load.wait_for(20)
    assert load.failures == []
    assert fleet.proxy.stop() == 0
    assert_recorded(fleet)
    assert {record["cut"] for record in fleet.proxy.audit("stop")} == {0}
    verify(fleet.proxy)


def test_a_rolling_restart_breaks_no_call_over_http2(fleet: Fleet) -> None:
    with Load(fleet.proxy.proxy_url, fleet.proxy.ca_file, clients=3, http2=True) as load:
        load.wait_for(30)
        fleet.proxy.process.send_signal(signal.SIGUSR2)
        fleet.proxy.wait_for_line("all workers are new")
        fleet.proxy.wait_for_line(r"worker \d+ \(pid \d+\) ended\n", 2)
        load.wait_for(30)
    assert load.failures == []
    assert fleet.proxy.stop() == 0
    assert {record["cut"] for record in fleet.proxy.audit("stop")} == {0}
    assert_recorded(fleet)


def test_a_rolling_restart_breaks_no_call_of_the_official_sdk(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("DATABRICKS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", fleet.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(fleet.proxy.ca_file))
    # No retries: a call that fails once counts.
    config = Config(host=f"https://{HOST}", token=TOKEN, auth_type="pat", retry_timeout_seconds=1)
    client = WorkspaceClient(config=config)
    fleet.proxy.process.send_signal(signal.SIGUSR2)
    calls = 0
    while "all workers are new" not in fleet.proxy.output or calls < 50:
        assert [each.name for each in client.catalogs.list()] == ["main", "samples"]
        calls += 1
    fleet.proxy.wait_for_line(r"worker \d+ \(pid \d+\) ended\n", 2)
    assert [each.name for each in client.catalogs.list()] == ["main", "samples"]


def test_a_reload_breaks_no_call_and_reaches_every_worker(fleet: Fleet) -> None:
    with Load(fleet.proxy.proxy_url, fleet.proxy.ca_file) as load:
        load.wait_for(20)
        (fleet.rules / "policy.yaml").write_text(POLICY + f"      - GET {CATALOGS}/{{name}}\n")
        fleet.proxy.process.send_signal(signal.SIGHUP)
        fleet.proxy.wait_for(lambda: len(fleet.proxy.audit("reload")) == 2)
        load.wait_for(20)
    assert load.failures == []
    assert all(record["loaded"] for record in fleet.proxy.audit("reload"))
    assert len({record["instance"] for record in fleet.proxy.audit("reload")}) == 2


def test_a_killed_worker_takes_only_its_own_connections_with_it(fleet: Fleet) -> None:
    sockets = [open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file) for _ in range(4)]
    for each in sockets:
        send_h1(each, head())
        assert read_h1(each) is not None
    victim = fleet.proxy.pids()[1]
    os.kill(victim, signal.SIGKILL)
    answers = []
    for each in sockets:
        send_h1(each, head())
        answers.append(read_h1(each))
        each.close()
    assert sum(answer is None for answer in answers) == 2, "the connections of the killed worker"
    assert sum(answer is not None and answer.status == 200 for answer in answers) == 2
    fleet.proxy.wait_for_line(rf"worker 1 \(pid {victim}\) ended by signal 9")
    fleet.proxy.wait_for(lambda: fleet.proxy.pids()[1] != victim)
    with Load(fleet.proxy.proxy_url, fleet.proxy.ca_file) as load:
        load.wait_for(20)
    assert load.failures == []
    assert fleet.proxy.stop() == 0
    assert_recorded(fleet)
    verify(fleet.proxy)


def test_under_load_a_killed_worker_leaves_no_call_without_a_record(fleet: Fleet) -> None:
    with Load(fleet.proxy.proxy_url, fleet.proxy.ca_file, clients=6) as load:
        load.wait_for(50)
        os.kill(fleet.proxy.pids()[2], signal.SIGKILL)
        fleet.proxy.wait_for_line(r"worker 2 is ready", 2)
        load.wait_for(50)
    assert len(load.failures) <= 3, "one for each connection of the killed worker"
    assert fleet.proxy.stop() == 0
    assert_recorded(fleet)
    verify(fleet.proxy)


def test_a_restarted_worker_with_a_broken_policy_does_not_start_and_the_others_serve_on(fleet: Fleet) -> None:
    good = (fleet.rules / "policy.yaml").read_text()
    (fleet.rules / "policy.yaml").write_text("version: 1\nrule_sets: [broken\n")
    fleet.proxy.wait_for_line("the edited policy has errors", 2)
    os.kill(fleet.proxy.pids()[1], signal.SIGKILL)
    fleet.proxy.wait_for_line("a worker does not start; 1 of 2 serve. It is tried again")
    with Load(fleet.proxy.proxy_url, fleet.proxy.ca_file) as load:
        load.wait_for(20)
    assert load.failures == []
    (fleet.rules / "policy.yaml").write_text(good)
    fleet.proxy.wait_for_line("worker 1 is ready", 2)


def test_connections_wait_while_no_worker_serves(tmp_path: Path, proxy_authority: Path) -> None:
    with running_fleet(tmp_path, proxy_authority, workers=1) as fleet:
        os.kill(fleet.proxy.pids()[1], signal.SIGKILL)
        fleet.proxy.wait_for_line("ended by signal 9")
        with open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file, timeout=60) as sock:
            send_h1(sock, head())
            answer = read_h1(sock, timeout=60)
            assert answer is not None
            assert answer.status == 200


def test_when_the_supervisor_is_killed_its_workers_finish_and_end(fleet: Fleet) -> None:
    pids = list(fleet.proxy.pids().values())
    with open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file) as sock:
        reader = H1Reader(sock)
        send_h1(sock, head())
        assert reader.read() is not None
        fleet.proxy.process.kill()
        fleet.proxy.process.wait()
        send_h1(sock, head())
        answer = reader.read()
        assert answer is not None
        assert answer.status == 200
    fleet.proxy.wait_for(lambda: not any(fleet.proxy.is_worker(pid) for pid in pids))
    assert len(fleet.proxy.audit("stop")) == 2
    verify(fleet.proxy)


def test_a_worker_that_cannot_start_ends_the_supervisor_with_its_message(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text("version: 1\ntokens: {a: {}}\n")
    proxy = start_fleet(tmp_path, proxy_authority, workspace)
    try:
        assert proxy.process.wait(60) == 1
    finally:
        proxy.kill()
    assert proxy.output.count("Brickscope can't start.") == 1
    assert "policy.yaml:2" in proxy.output
    assert "Traceback" not in proxy.output


def test_a_port_that_is_taken_is_said(tmp_path: Path, fleet: Fleet, proxy_authority: Path) -> None:
    folder = tmp_path / "second"
    (folder / "rules").mkdir(parents=True)
    proxy = start_fleet(folder, proxy_authority, fleet.workspace, "-p", str(fleet.proxy.port))
    assert proxy.process.wait(60) == 1
    assert "Address already in use; another program listens there" in proxy.output
    assert "Traceback" not in proxy.output


def test_the_authority_and_the_keys_are_made_once(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    with FakeWorkspace.start() as workspace:
        proxy = start_fleet(tmp_path, None, workspace, workers=3)
        try:
            proxy.wait_for_line("3 workers serve")
            assert len({record["key_id"] for record in proxy.audit("start")}) == 1
            with Load(proxy.proxy_url, proxy.ca_file, clients=6) as load:
                load.wait_for(12)
            assert load.failures == []
        finally:
            proxy.stop()
            proxy.kill()


def test_a_second_signal_ends_at_once(fleet: Fleet) -> None:
    with open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file) as sock:
        send_h1(sock, head("GET", "/sse"))
        assert sock.recv(100)
        fleet.proxy.process.send_signal(signal.SIGINT)
        fleet.proxy.wait_for_line("stopping 2 workers")
        time.sleep(0.3)
        assert fleet.proxy.process.poll() is None
        fleet.proxy.process.send_signal(signal.SIGINT)
        assert fleet.proxy.process.wait(60) == 0
    assert sorted(record["cut"] for record in fleet.proxy.audit("stop")) == [0, 1]
    verify(fleet.proxy)


def test_the_client_that_a_balancer_names_is_judged_whichever_worker_has_it(
    tmp_path: Path, proxy_authority: Path
) -> None:
    policy = POLICY.replace(
        "    rule_set: reader\n", "    rule_set: reader\n    clients: [192.0.2.0/24]\n", 1
    )
    with running_fleet(
        tmp_path,
        proxy_authority,
        "--set",
        "scope_proxy_protocol=127.0.0.0/8",
        "--set",
        "block_global=false",
        policy=policy,
    ) as fleet:
        seen = {}
        for address in ("192.0.2.7", "198.51.100.7", "192.0.2.8", "198.51.100.8"):
            seen[address] = _call_as(fleet, address)
        assert seen == {"192.0.2.7": 200, "198.51.100.7": 403, "192.0.2.8": 200, "198.51.100.8": 403}
        logged = {record["client_address"]: record["reason"] for record in fleet.proxy.audit("decision")}
        assert logged["198.51.100.7"] == "client_not_allowed"
        assert set(logged) == set(seen)
        assert len({record["instance"] for record in fleet.proxy.audit("decision")}) == 2


def _call_as(fleet: Fleet, address: str) -> int:
    sock = dial(fleet.proxy.proxy_url)
    sock.sendall(
        f"PROXY TCP4 {address} 10.0.0.1 4000 8080\r\nCONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    )
    opened = H1Reader(sock).read("CONNECT")
    assert opened is not None
    with tls(sock, ca=fleet.proxy.ca_file, sni=HOST) as inner:
        send_h1(inner, head())
        answer = read_h1(inner)
        assert answer is not None
        return answer.status


SOCKET = """
import os, sys
os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), "1"
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.executable, [sys.executable, "-m", "brickscope.service.supervisor", *sys.argv[2:]])
"""


def test_a_socket_of_systemd_is_served(
    tmp_path: Path, proxy_authority: Path, workspace: FakeWorkspace
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = [sys.executable, "-c", SOCKET, str(server.fileno())]
        proxy = start_fleet(tmp_path, proxy_authority, workspace, program=program, pass_fds=[server.fileno()])
        proxy.port = server.getsockname()[1]
    try:
        with Load(proxy.proxy_url, proxy.ca_file, clients=2) as load:
            load.wait_for(4)
        assert load.failures == []
        assert proxy.stop() == 0
    finally:
        proxy.kill()
