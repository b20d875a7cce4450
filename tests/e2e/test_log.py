"""The log of a real proxy: whole whatever happens to the proxy or its disk, and proved by `verify`."""

from __future__ import annotations

import http.client
import os
import random
import shutil
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from brickscope.audit.evidence import Evidence
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.core.fingerprint import fingerprint
from brickscope.log.closed import series
from brickscope.log.head import HeadFile
from brickscope.log.key import VerifyKey
from e2e.gate import CATALOGS, HOST, TOKEN, Gate, head, running_gate
from e2e.proxy_process import ProxyProcess
from e2e.raw_client import open_tls, read_h1, send_h1
from lab.workspace.server import FakeWorkspace

ROUNDS = 100 if os.environ.get("BRICKSCOPE_LARGE") else 10
"""How often the proxy is killed; a hundred times takes two minutes."""


def check(proxy: ProxyProcess) -> Evidence:
    keys = proxy.folder / "confdir"
    key = VerifyKey.load(keys / "brickscope-audit-key.pem")
    link = HeadFile(keys, proxy.audit_file).read()
    files = [*series(proxy.audit_file), proxy.audit_file]
    (found,) = verify_logs(files, lambda _: Verifier(key, link, schema=True))
    return found


def status(gate: Gate) -> int:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        send_h1(sock, head())
        response = read_h1(sock)
        return 0 if response is None else response.status


def test_a_run_is_proved_from_its_first_record_to_its_stop(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path / "x", proxy_authority) as gate:
        assert status(gate) == 200
        found = check(gate.proxy)  # its start is signed, long before the first minute is over
        assert (found.findings, found.signed_records, found.trusted) == ([], 2, True)
        rules = tmp_path / "x" / "rules" / "policy.yaml"
        rules.write_text(rules.read_text() + "mode: monitor\n")
        gate.proxy.wait_for(lambda: gate.proxy.audit("mode_change"))
        assert status(gate) == 200
        gate.proxy.stop()
        found = check(gate.proxy)
        assert (found.findings, found.notes, found.in_flight) == ([], [], [])
        assert (found.begins, found.stopped, found.after, found.head_checked) == (True, True, 0, True)
        records = gate.proxy.audit()
        assert [record["event"] for record in records[-2:]] == ["stop", "checkpoint"]
        (change,) = [record for record in records if record["event"] == "mode_change"]
        assert (change["scope"], change["previous_mode"], change["mode"]) == ("proxy", "enforce", "monitor")
        revisions = [record["policy_revision"] for record in records]
        assert None not in revisions
        assert len(set(revisions)) == 2


class Load(threading.Thread):
    """One client that calls on and on, each time by a path of its own, over a connection that is kept."""

    def __init__(self, gate: Gate, name: str) -> None:
        super().__init__(daemon=True)
        self.gate, self.label = gate, name
        self.stopping = False

    def run(self) -> None:
        trust = ssl.create_default_context(cafile=str(self.gate.ca))
        with suppress(
            OSError, http.client.HTTPException
        ):  # the proxy is killed; what was forwarded is looked at
            client = http.client.HTTPSConnection("127.0.0.1", self.gate.proxy.port, timeout=5, context=trust)
            client.set_tunnel(HOST, 443)
            number = 0
            while not self.stopping:
                number += 1
                headers = {"Authorization": f"Bearer {TOKEN}"}
                client.request("GET", f"{CATALOGS}/{self.label}-{number}", headers=headers)
                client.getresponse().read()


def test_killed_under_load_no_call_was_forwarded_without_its_record(
    tmp_path: Path, proxy_authority: Path
) -> None:
    policy = f"""\
version: 1
tokens:
  ci: {{fingerprint: {fingerprint(TOKEN.encode())}, rule_set: r}}
rule_sets:
  r:
    allow: ["GET {CATALOGS}/{{name}}"]
"""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "policy.yaml").write_text(policy)
    forwarded = 0
    with FakeWorkspace.start() as workspace:
        for turn in range(ROUNDS):
            proxy = ProxyProcess.start(
                tmp_path / "proxy",
                rules,
                upstream_port=workspace.port,
                upstream_ca=workspace.ca_file,
                authority=proxy_authority,
                arguments=["--set", "scope_audit_rotate=1KB"] if turn % 3 == 2 else [],
            )
            try:
                clients = [Load(Gate(proxy, workspace), f"{turn}-{index}") for index in range(6)]
                before = len(workspace.requests)
                for client in clients:
                    client.start()
                # Calls are under way, however slow the machine is; when it is killed among them is left to chance.
                proxy.wait_for(lambda before=before: len(workspace.requests) > before + 3, 60)
                time.sleep(random.uniform(0, 0.3))
            finally:
                proxy.process.kill()
                proxy.process.wait()
            for client in clients:
                client.stopping = True
                client.join(10)
        seen = {each.target.decode() for each in workspace.requests}
        forwarded = len(seen)
        found = check(proxy)
        assert found.findings == []
        assert forwarded > ROUNDS
        recorded = set()
        for path in [*series(proxy.audit_file), proxy.audit_file]:
            recorded |= recorded_paths(path)
        assert seen <= recorded


def recorded_paths(path: Path) -> set[str]:
    import orjson

    from brickscope.log.closed import open_log

    with open_log(path) as file:
        records = [orjson.loads(line) for line in file if line.strip()]
    return {
        record["path"]
        for record in records
        if record["event"] == "decision" and record["decision"] == "allow"
    }


def test_a_log_that_is_deleted_moved_or_forbidden_goes_on(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path / "x", proxy_authority) as gate:
        assert status(gate) == 200
        gate.proxy.audit_file.unlink()
        assert status(gate) == 200
        assert [record["cause"] for record in gate.proxy.audit("gap")] == ["file_replaced"]
        gate.proxy.audit_file.rename(gate.proxy.folder / "moved.jsonl")
        gate.proxy.wait_for(lambda: status(gate) == 200 and gate.proxy.audit_file.exists())
        assert [record["cause"] for record in gate.proxy.audit("gap")] == ["file_replaced"]
        gate.proxy.stop()
        found = check(gate.proxy)
        assert found.findings == []


def test_a_full_disk_denies_says_so_once_and_recovers(tmp_path: Path, proxy_authority: Path) -> None:
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("a disk of its own, which gets full, needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs {disk} 2>/dev/null") != 0:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        with running_gate(tmp_path / "x", proxy_authority, audit_file=disk / "audit.jsonl") as gate:
            filler = disk / "filler"
            filler.write_bytes(b"x" * 36 * 1024)
            gate.clear()
            statuses = [status(gate) for _ in range(60)]
            assert statuses[0] == 200
            assert statuses[-1] == 403
            assert sorted(statuses) == sorted([200] * statuses.count(200) + [403] * statuses.count(403))
            assert len(gate.workspace.requests) == statuses.count(200)
            assert gate.proxy.output.count("EVERY CALL IS DENIED") == 1
            filler.unlink()
            assert status(gate) == 200
            (gap,) = gate.proxy.audit("gap")
            assert (gap["cause"], gap["denied"]) == ("write_failed", statuses.count(403))
            gate.proxy.stop()
            found = check(gate.proxy)
            assert found.findings == []
            # The disk may have become full with the outcome of the last call that went on.
            assert found.unfinished == gap["lost"] <= 1
            assert len(found.notes) == 1 + gap["lost"]
    finally:
        os.system(f"umount {disk}")


def test_two_proxies_do_not_share_a_log(tmp_path: Path, proxy_authority: Path) -> None:
    from e2e.proxy_process import ProxyFailed

    with (
        running_gate(tmp_path / "x", proxy_authority) as gate,
        pytest.raises(ProxyFailed, match="written by another process"),
        running_gate(tmp_path / "y", proxy_authority, audit_file=gate.proxy.audit_file),
    ):
        pass


# options, what the proxy says and does not start
OPTIONS = {
    "no such fsync": ("scope_audit_fsync=sometimes", "neither always nor interval nor never"),
    "no such compression": ("scope_audit_compress=rar", "neither zstd nor gzip nor none"),
    "no such size": ("scope_audit_rotate=100", "neither daily nor a size such as 256MB"),
    "no such time": ("scope_audit_keep=long", "neither such as 90 days nor 100 files"),
    "keys that cannot be made": ("scope_audit_keys=/proc/nowhere", "can't be read or made"),
}


@pytest.mark.parametrize(("option", "words"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_cannot_be_stops_the_start(
    option: str, words: str, tmp_path: Path, proxy_authority: Path
) -> None:
    from e2e.proxy_process import ProxyFailed

    with (
        pytest.raises(ProxyFailed, match=words),
        running_gate(tmp_path / "x", proxy_authority, "--set", option),
    ):
        pass


def test_rotation_compression_and_retention_of_a_real_proxy(tmp_path: Path, proxy_authority: Path) -> None:
    options = ["scope_audit_rotate=2KB", "scope_audit_compress=gzip", "scope_audit_fsync=always"]
    more = [part for option in options for part in ("--set", option)]
    with running_gate(tmp_path / "x", proxy_authority, *more) as gate:
        gate.proxy.wait_for(
            lambda: (
                status(gate) == 200
                and len([path for path in series(gate.proxy.audit_file) if path.suffix == ".gz"]) >= 2
            ),
            15,
        )
        gate.proxy.stop()
        found = check(gate.proxy)
        assert found.findings == []
        assert len(found.files) >= 3
