"""HAProxy with docs/deploy/haproxy.cfg before two real proxies: client addresses arrive, no call fails while machines go."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.balanced import CALL, CONFIG, Site, balanced_site, wait_until
from deploy.box import need
from e2e.gate import CATALOGS, HOST, POLICY, QUERIES
from lab.workspace.server import FakeWorkspace
from lab.workspace.streams import pattern

HERE, ELSEWHERE = "127.0.0.21", "127.0.0.99"
ADDRESSES = [HERE, "127.0.0.22", "127.0.0.23", "127.0.0.24"]
BOUND = POLICY.replace("    rule_set: reader\n", "    rule_set: reader\n    clients: [127.0.0.16/28]\n", 1)
SIZE = 30_000_000
BYTES = f"/api/2.0/fs/files/Volumes/demo/bytes/{SIZE}"


@pytest.fixture
def site(tmp_path: Path, workspace: FakeWorkspace, authority: Path) -> Iterator[Site]:
    need("haproxy")
    with (
        tempfile.TemporaryDirectory(prefix="bs-") as short,
        balanced_site(tmp_path, workspace, authority, BOUND, Path(short)) as running,
    ):
        yield running


def test_haproxy_itself_takes_the_configuration() -> None:
    need("haproxy")
    done = subprocess.run(["haproxy", "-c", "-f", CONFIG], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()


def test_client_addresses_come_through_into_policy_and_log(site: Site) -> None:
    clients = site.clients()
    for address in ADDRESSES:
        with clients.client(address) as client:
            assert clients.get(client) == 200
    with clients.client(ELSEWHERE) as client:
        assert clients.get(client) == 403, "`clients:` holds for the address behind the balancer"
    decisions = [record for machine in site.machines for record in machine.records("decision")]
    assert {(each["client_address"], each["decision"]) for each in decisions} == {
        *((address, "allow") for address in ADDRESSES),
        (ELSEWHERE, "deny"),
    }
    assert {each["reason"] for each in decisions if each["decision"] == "deny"} == {"client_not_allowed"}
    assert all(machine.records("decision") for machine in site.machines), "both machines serve"


def test_a_machine_that_stops_fails_no_call(site: Site) -> None:
    """The calls that it has finish, a long download among them; new ones go to the other."""
    first, second = site.machines
    with site.clients(*ADDRESSES) as clients, clients.client(HERE) as client:
        clients.wait_for(20)
        with client.stream("GET", f"https://{HOST}{BYTES}", **CALL) as answer:
            assert answer.status == 200
            blocks = answer.iter_stream()
            got = len(next(blocks))
            loaded = first if any(each["path"] == BYTES for each in first.records("decision")) else second
            other = second if loaded is first else first
            assert loaded.process is not None
            loaded.process.terminate()
            wait_until(lambda: loaded.ready() != 200)
            clients.wait_for(40)
            assert loaded.process.poll() is None, "it waits for the download"
            got += sum(map(len, blocks))
        assert got == SIZE == sum(map(len, pattern(SIZE)))
        assert loaded.process.wait(60) == 0
        assert loaded.records("stop")[0]["cut"] == 0
        before = len(other.records("decision"))
        clients.wait_for(40)
    assert (clients.failures, set(clients.statuses)) == ([], {200})
    assert len(other.records("decision")) >= before + 40


def test_all_machines_are_restarted_one_after_the_other_and_no_call_fails(site: Site) -> None:
    with site.clients(*ADDRESSES) as clients:
        for name, machine in zip(("machine_1", "machine_2"), site.machines, strict=True):
            clients.wait_for(20)
            assert machine.stop() == 0
            clients.wait_for(20)
            site.balancer.wait_for(**{name: "DOWN"})
            machine.start()
            site.balancer.wait_for(**{name: "UP"})
        clients.wait_for(20)
    assert (clients.failures, set(clients.statuses)) == ([], {200})
    for machine in site.machines:
        assert len(machine.records("start")) == 2
        assert [record["cut"] for record in machine.records("stop")] == [0]


def test_a_machine_that_is_killed_fails_only_the_calls_that_it_had(site: Site) -> None:
    first, _ = site.machines
    with site.clients(*ADDRESSES) as clients:
        clients.wait_for(20)
        first.kill()
        clients.wait_for(20)
        failed = len(clients.failures)
        assert failed <= len(ADDRESSES), clients.failures
        clients.wait_for(60)
        assert len(clients.failures) == failed, "later calls go to the other machine at once"
        site.balancer.wait_for(machine_1="DOWN")
        first.start()
        site.balancer.wait_for(machine_1="UP")
        before = len(first.records("decision"))
        wait_until(lambda: len(first.records("decision")) > before)
    assert set(clients.statuses) == {200}
    assert len(clients.failures) == failed


def test_a_machine_whose_disk_is_nearly_full_gets_no_new_call_before_it_would_deny_one(
    tmp_path: Path, workspace: FakeWorkspace, authority: Path
) -> None:
    """It is unready before its log fails, so its calls go to the others; with room again it is taken back."""
    need("haproxy", "mount", "umount", root=True)
    log = tmp_path / "127.0.0.11" / "log"
    with (
        tempfile.TemporaryDirectory(prefix="bs-") as short,
        balanced_site(tmp_path, workspace, authority, BOUND, Path(short)) as site,
    ):
        first, second = site.machines
        assert first.stop() == 0
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "brickscope-test", str(log)], check=True)
        try:
            first.start()
            site.balancer.wait_for(machine_1="UP")
            with site.clients(*ADDRESSES[:2]) as clients:
                clients.wait_for(10)
                filler = log / "filler"
                filler.write_bytes(bytes(8 * 2**20 - 2**20 - first.log.stat().st_size))
                wait_until(lambda: first.ready() == 503)
                site.balancer.wait_for(machine_1="DOWN")
                taken = len(first.records("decision"))
                before = len(second.records("decision"))
                clients.wait_for(40)
                # Connections that were open may still be used; a client here keeps one for ten calls.
                assert len(first.records("decision")) - taken <= 20
                assert len(second.records("decision")) > before
                filler.unlink()
                site.balancer.wait_for(machine_1="UP")
                taken = len(first.records("decision"))
                wait_until(lambda: len(first.records("decision")) > taken)
            assert (clients.failures, set(clients.statuses)) == ([], {200})
        finally:
            first.kill()
            subprocess.run(["umount", str(log)], check=True)


def test_a_bad_edit_on_one_machine_changes_nothing_and_a_good_one_is_taken_everywhere(site: Site) -> None:
    clients = site.clients()
    for machine in site.machines:
        file = machine.folder / "rules" / "policy.yaml"
        file.write_text(file.read_text().replace(f"      - GET {QUERIES}\n", ""))
    for machine in site.machines:
        wait_until(lambda machine=machine: machine.records("reload"))
    with clients.client(HERE) as client:
        assert [clients.get(client, path) for path in (CATALOGS, QUERIES)] == [200, 403]
    revisions = {machine.records("reload")[-1]["policy_revision"] for machine in site.machines}
    assert len(revisions) == 1, "the same files have the same revision everywhere"
