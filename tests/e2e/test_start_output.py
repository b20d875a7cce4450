"""What a good start prints, by mitmproxy's own command and nothing else: nothing in it reads like a fault."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from e2e.proxy_process import SCRIPT, free_port, plain_environment

ALARMING = re.compile(r"(?i)warn|error|traceback|exception|deprecat|fail|critical|can't|cannot|unclosed")


POLICY = f"""\
version: 1
tokens:
  ci:
    fingerprint: sha256:{"a" * 64}
    rule_set: reader
rule_sets:
  reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
"""


def started(folder: Path, policy: str) -> tuple[int, str]:
    """Exit status and output of a proxy that was started, and ended by SIGTERM once it listens."""
    (folder / "rules").mkdir()
    (folder / "rules" / "policy.yaml").write_text(policy)
    output = folder / "output.txt"
    command = [str(Path(sys.executable).with_name("mitmdump")), "-s", str(SCRIPT), "-p", str(free_port())]
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [*command, "--set", f"confdir={folder / 'confdir'}"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            # As a user has it: what Python shows of deprecations by itself, and no more.
            env={name: value for name, value in plain_environment().items() if name != "PYTHONWARNINGS"},
        )
    try:
        deadline = time.monotonic() + 60
        while "listening at" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        process.terminate()
        return process.wait(30), output.read_text()
    finally:
        process.kill()


def test_a_good_start_and_its_end_print_nothing_alarming(tmp_path: Path) -> None:
    status, said = started(tmp_path, POLICY)
    assert status == 0
    assert [line for line in said.splitlines() if ALARMING.search(line)] == [], said


def test_what_concerns_the_policy_is_said_and_nothing_else(tmp_path: Path) -> None:
    policy = POLICY.replace("    allow:\n", "    allow:\n      - GET /api/2.1/jobs/lists\n", 1)
    _, said = started(tmp_path, policy)
    alarming = [line for line in said.splitlines() if ALARMING.search(line)]
    (line,) = alarming
    assert "policy.yaml:9:9: warning: the rule 'GET /api/2.1/jobs/lists'" in line
