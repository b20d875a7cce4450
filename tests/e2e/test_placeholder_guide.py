"""docs/placeholders.md is run as it is written: the ten lines, and both files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from brickscope.policy.credentials import read_credentials
from e2e.exchanging import REAL
from e2e.proxy_process import free_port, plain_environment
from lab.workspace.server import FakeWorkspace

GUIDE = (Path(__file__).parents[2] / "docs" / "placeholders.md").read_text()


def test_ten_lines_lead_to_the_first_exchanged_call(tmp_path: Path, workspace: FakeWorkspace) -> None:
    shown = re.search(r"```sh\n(.*?)```", GUIDE, re.S)
    assert shown is not None
    assert len([line for line in shown[1].splitlines() if line != "END"]) <= 10
    etc, port = tmp_path / "etc", free_port()
    for folder in (etc, tmp_path / "rules", tmp_path / "home"):
        folder.mkdir()
    (etc / "etl.token").write_text(REAL)
    workspace.issuer.bearers = {REAL}
    # Where it runs, and the workspace that stands there for the real one.
    script = shown[1].replace("/etc/brickscope", str(etc)).replace(":8080", f":{port}")
    options = f"--listen-port {port} --set confdir={tmp_path}/home/.mitmproxy "
    options += f"--set scope_connect_to=*.cloud.databricks.com=127.0.0.1:{workspace.port} "
    options += f"--set ssl_verify_upstream_trusted_ca={workspace.ca_file} --set scope_stop_after=0"
    waiting = "for i in $(seq 300); do grep -q 'listening at' proxy.txt && break; sleep 0.1; done"
    started = f"{options} > proxy.txt 2>&1 &\n{waiting}"
    script = script.replace("credentials.yaml &\n", f"credentials.yaml {started}\n")
    script = script.replace("\ncurl ", "\ncurl -sS ") + "\nkill %1; wait\n"
    environment = plain_environment() | {
        "HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    run = subprocess.Popen(
        ["bash", "-ec", f"set -m; {script}"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, errors = run.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        output, errors = run.communicate()
    text = f"{output.decode()}\n{errors.decode()}\n{(tmp_path / 'proxy.txt').read_text()}"
    assert b"main" in output, text
    (request,) = [each for each in workspace.requests if each.path.startswith(b"/api/")]
    assert request.values(b"authorization") == [f"Bearer {REAL}".encode()]
    assert REAL not in text


def test_the_operators_file_is_one(tmp_path: Path) -> None:
    shown = re.search(r"```yaml\n# credentials.yaml\n(.*?)```", GUIDE, re.S)
    assert shown is not None
    (tmp_path / "credentials.yaml").write_text(shown[1])
    assert set(read_credentials(tmp_path / "credentials.yaml", tmp_path / "rules")) == {
        *("etl", "agent", "ci", "azure")
    }


def test_the_keys_are_all_told() -> None:
    from brickscope.policy.credentials import CredentialEntry

    told = {
        word
        for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", GUIDE, re.M)
        for word in re.findall(r"\w+", row)
    }
    assert set(CredentialEntry.model_fields) - {"description"} <= told
