"""Peers of the bench: their configurations are valid, and they answer the load as the policy says."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.bench.endtoend import send
from lab.bench.peers import haproxy, nginx, squid
from lab.bench.peers.peer import Peer, find_program
from lab.bench.peers.roster import PEERS
from lab.bench.peers.rounds import CALLS, Load, Scale, make_job
from lab.bench.peers.rules import grants, path_pattern
from lab.bench.processes import free_port
from lab.bench.variants import Stage, open_stage

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the bench reads Linux's /proc"
)
SMALL = Scale(rounds=1, seconds=0.3, transfers=1, size=1_000_000, patience=60)
OTHERS = {peer.name: peer for peer in PEERS if peer.name in ("squid", "nginx", "haproxy", "proxy.py")}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_stage(curve=True) as opened:
        yield opened


def installed(peer: Peer) -> Peer:
    """The peer; a test is skipped without its program, and fails in CI, where it is installed."""
    if missing := peer.missing():
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)
    return peer


def runs(pid: int) -> bool:
    """Whether a process is there, and more than what its parent has not yet looked at (a zombie)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("path", "called", "allowed"),
    [
        ("/api/2.1/jobs/list", "/api/2.1/jobs/list", True),
        ("/api/2.1/jobs/list", "/api/2.1/jobs/list?limit=5", True),
        ("/api/2.1/jobs/list", "/api/2x1/jobs/list", False),
        ("/api/2.1/jobs/list", "/api/2.1/jobs/list/more", False),
        ("/api/2.1/jobs/list", "/x/api/2.1/jobs/list", False),
        ("/api/2.1/catalogs/{name}", "/api/2.1/catalogs/main", True),
        ("/api/2.1/catalogs/{name}", "/api/2.1/catalogs/main/x", False),
        ("/api/2.1/catalogs/{name}", "/api/2.1/catalogs/", False),
        ("/api/2.0/fs/files/{path...}", "/api/2.0/fs/files/Volumes/a/b", True),
        ("/api/2.0/fs/files/{path...}", "/api/2.0/fs/directories/a", False),
    ],
)
def test_a_rule_as_a_regular_expression(path: str, called: str, allowed: bool) -> None:
    assert bool(re.search(path_pattern(path), called)) is allowed


def test_the_expressions_decide_each_call_of_the_load_as_the_policy_does(stage: Stage) -> None:
    rules = {grant.token: grant.rules for grant in grants(stage)}
    for call in [*stage.allowed, *stage.mixed, *stage.denied]:
        allowed = any(
            method == call.method and re.search(path, call.path) for method, path in rules[call.token]
        )
        assert allowed is call.allowed, call


def check(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"\b(ERROR|FATAL|emerg|ALERT)\b", done.stdout + done.stderr), done.stderr


def test_squid_takes_its_configuration(stage: Stage) -> None:
    installed(OTHERS["squid"])
    file = squid.configure(stage, free_port())
    check([str(find_program("squid")), "-k", "parse", "-f", str(file)])


def test_nginx_takes_its_configuration(stage: Stage) -> None:
    installed(OTHERS["nginx"])
    check(nginx.command(nginx.configure(stage, free_port()), "-t"))


def test_haproxy_takes_its_configuration(stage: Stage) -> None:
    installed(OTHERS["haproxy"])
    check(haproxy.command(haproxy.configure(stage, free_port()), "-c"))


@pytest.mark.parametrize("peer", OTHERS.values(), ids=OTHERS)
def test_a_peer_answers_as_the_policy_says(stage: Stage, peer: Peer) -> None:
    with installed(peer).start(stage) as proxy:
        for load in (*CALLS, Load("upload", "upload", "upload")):
            run = send(make_job(stage, SMALL, peer, proxy, load), proxy)
            assert run.result.done > 0, load
            assert (run.result.wrong, run.result.errors) == (0, 0), load
        family = proxy.family()
        assert run.idle > 0
        assert proxy.cpu_seconds() > 0
    until = time.monotonic() + 20
    while any(map(runs, family)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in family if runs(pid)]
    assert peer.version()


@pytest.mark.parametrize("peer", OTHERS.values(), ids=OTHERS)
def test_a_denial_that_is_expected_to_pass_counts_as_wrong(stage: Stage, peer: Peer) -> None:
    """That every answer is held against the policy is what makes the rows above worth something."""
    with installed(peer).start(stage) as proxy:
        load = next(load for load in CALLS if load.name == "denied")
        job = make_job(stage, SMALL, peer, proxy, load)
        run = send(job._replace(calls=[call._replace(allowed=True) for call in stage.denied]), proxy)
    assert run.result.wrong >= run.result.done > 0


@pytest.mark.parametrize("peer", OTHERS.values(), ids=OTHERS)
def test_a_peer_is_only_on_loopback(stage: Stage, peer: Peer) -> None:
    with installed(peer).start(stage) as proxy:
        inodes = set()
        for pid in proxy.family():
            for link in Path(f"/proc/{pid}/fd").iterdir():
                if link.is_symlink() and (found := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))):
                    inodes.add(found[1])
        listening = [
            fields[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if (fields := line.split())[3] == "0A" and fields[9] in inodes
        ]
    assert listening
    assert all(address.startswith("0100007F:") for address in listening)
