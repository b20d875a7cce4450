"""Several workers: each has what placeholders stand for, and a revocation reaches them all within a second."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from brickscope.core.fingerprint import fingerprint
from e2e.exchanging import PLACEHOLDERS, REAL, credentials, policy
from e2e.fleet_process import brickscope, running_fleet
from e2e.gate import HOST, head
from e2e.raw_client import open_tls, read_h1, send_h1

CI = PLACEHOLDERS["ci"]


@pytest.mark.timeout(240)
def test_a_revocation_is_in_force_on_every_worker(tmp_path: Path, proxy_authority: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "credentials.yaml").write_text(json.dumps(credentials(secrets)))
    option = f"scope_credentials={secrets / 'credentials.yaml'}"
    with running_fleet(tmp_path / "fleet", proxy_authority, "--set", option, policy=policy()) as fleet:
        fleet.workspace.issuer.bearers = {REAL}
        # Two connections that stay, one with each worker.
        ways = [open_tls(fleet.proxy.proxy_url, HOST, ca=fleet.proxy.ca_file) for _ in range(2)]

        def statuses() -> list[int]:
            found = []
            for way in ways:
                send_h1(way, head(token=CI))
                answer = read_h1(way)
                found.append(0 if answer is None else answer.status)
            return found

        assert statuses() == [200, 200]
        assert len({record["instance"] for record in fleet.proxy.audit("decision")}) == 2
        done = brickscope("placeholder", "revoke", "ci", "--rules", fleet.rules)
        assert done.returncode == 0, done.stderr
        began = time.monotonic()
        fleet.proxy.wait_for(lambda: statuses() == [403, 403], timeout=10)
        assert time.monotonic() - began < 5  # one second, on a machine that has time
        last = {record["instance"]: record["reason"] for record in fleet.proxy.audit("decision")}
        assert set(last.values()) == {"unknown_placeholder"}
        sent = [value for each in fleet.workspace.requests for value in each.values(b"authorization")]
        assert set(sent) == {f"Bearer {REAL}".encode()}
        assert fingerprint(CI.encode()) in (fleet.rules / "revoked.yaml").read_text()
        for way in ways:
            way.close()
