"""A proxy whose Python lacks a package, or whose script fails: it ends, and at no moment did anything listen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from e2e.broken import copy_of_the_checkout
from e2e.gate import POLICY
from e2e.proxy_process import SCRIPT, free_port, plain_environment

BOUND = "bound to its port"
MITMDUMP = f"""\
import os, sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None  # an import of it fails, as if it were not installed
port = int(sys.argv[sys.argv.index("-p") + 1])
def told(event, arguments):
    if event == "socket.bind" and arguments[1][1:2] == (port,):
        os.write(2, b"{BOUND}\\n")
sys.addaudithook(told)
from mitmproxy.tools.main import mitmdump
mitmdump()
"""
NEEDED = ["pydantic", "orjson", "jwt", "zstandard"]
NOT_NEEDED = ["prometheus_client", "packaging", "rich", "duckdb"]


def start(folder: Path, lacking: list[str], *flags: str, script: Path = SCRIPT) -> subprocess.Popen[str]:
    """mitmdump by the literal command: without ``--no-server``, whose own server would listen on all addresses."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "policy.yaml").write_text(POLICY)
    command = [sys.executable, "-c", MITMDUMP, ",".join(lacking), "-s", str(script), "-p", str(free_port())]
    return subprocess.Popen(
        [*command, "--set", f"confdir={folder / 'confdir'}", *flags],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=plain_environment(),
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, told


@pytest.mark.parametrize("name", NEEDED)
def test_without_a_package_it_needs_it_ends_with_one_sentence(name: str, tmp_path: Path) -> None:
    status, told = end(start(tmp_path, [name]))
    (line,) = told.splitlines()
    assert line.startswith("Brickscope can't start: ")
    assert name in line
    assert f"{SCRIPT.parent.parent}/scripts/" in line
    assert status == 1


def test_a_script_that_fails_otherwise_ends_it_too(tmp_path: Path) -> None:
    script = copy_of_the_checkout(tmp_path, "raise RuntimeError('on purpose')")
    status, told = end(start(tmp_path, ["nothing"], script=script))
    assert status == 1
    assert "RuntimeError: on purpose" in told
    assert "Brickscope can't start: its script failed" in told
    assert BOUND not in told


def test_without_all_that_it_does_not_need_it_serves(tmp_path: Path) -> None:
    with start(tmp_path, NOT_NEEDED) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "Brickscope: listening" in line:
                break
        process.terminate()
    assert "Brickscope: listening" in seen[-1], seen
    assert f"{BOUND}\n" in seen, "what watches for sockets sees none, so it proves nothing above"


def test_metrics_without_their_package_end_it_with_what_to_run(tmp_path: Path) -> None:
    status, told = end(start(tmp_path, ["prometheus_client"], "--set", "scope_status=127.0.0.1:0"))
    assert status == 1
    assert "prometheus_client" in told
    assert "scripts/" in told
    assert "Traceback" not in told
