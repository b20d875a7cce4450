"""The newcomer's guide, run as it is written, from the wheel in an empty folder: one shell, one proxy, a fake workspace."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.built_wheel import build_wheel
from e2e.gate import TOKEN
from e2e.proxy_process import REPOSITORY, free_port, plain_environment
from lab.workspace.server import FakeWorkspace

GUIDE = (REPOSITORY / "docs" / "first-host.md").read_text()
_FILE = re.search(r"`(rules/[a-z-]+\.yaml)`:\n\n```yaml\n(.*?)^```$", GUIDE, re.M | re.S)
PROXY = ".venv/bin/brickscope proxy"
_DECISION = re.compile(r"\b[0-9a-f]{8}-\d+\b")
_VARYING = (
    (re.compile(r"[ \t]+"), " "),
    (_DECISION, "DECISION"),
    (re.compile(r"sha256:[0-9a-f]{16}…"), "CA"),
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?)?Z?"), "DATE"),
    (re.compile(r"own store \(\S+\)"), "own store"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "REVISION"),
    (re.compile(r"\b[0-9.]+ (ms|s)\b"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "INSTANCE"),
    (re.compile(r"databricks-sdk [0-9.]+"), "databricks-sdk VERSION"),
    (re.compile(r"databricks-sdk-py/\S+|curl/\S+|requests \d\S*"), "VERSION"),
)


def plain(text: str) -> list[str]:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the guide in its order, and what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```$", GUIDE, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


class Shell:
    """One shell for all commands, as a person has it: what is exported stays."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
        )
        self._errors = folder / "errors.txt"

    def run(self, command: str, given: str = "") -> tuple[int, str]:
        """Its exit status and output. ``given``: what the person types into it."""
        assert self._process.stdin
        assert self._process.stdout
        source = f" <<< '{given}'" if given else " < /dev/null"
        self._process.stdin.write(
            f"{{ {command}\n}}{source} 2>{self._errors}\nstatus=$?; echo; echo ended $status\n"
        )
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith("ended "):
                return int(line.split()[1]), "".join(lines).removesuffix("\n")
            lines.append(line)
        raise AssertionError(f"the shell ended in {command!r}: {self._errors.read_text()}")

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def close(self) -> None:
        self._process.communicate(timeout=30)


def wait_for_port(proxy: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 120
    while "listening at" not in output.read_text():
        assert proxy.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)


@pytest.mark.timeout(600)
def test_the_guide_leads_to_a_governed_host(tmp_path: Path, workspace: FakeWorkspace) -> None:
    for program in ("curl", "bash"):
        if shutil.which(program) is None:
            assert not os.environ.get("CI"), f"{program} is missing"
            pytest.skip(f"{program} is not installed")
    assert _FILE
    home, port, proxy = tmp_path / "ada", str(free_port()), None
    home.mkdir()
    kept = {name: value for name, value in plain_environment().items() if not name.startswith("DATABRICKS_")}
    pip = Path(os.environ.get("PIP_CONFIG_FILE") or Path.home() / ".config" / "pip" / "pip.conf")
    environment = kept | {
        "HOME": str(home),
        "PATH": f"{Path(getattr(sys, '_base_executable', sys.executable)).parent}:{os.environ['PATH']}",
        "BRICKSCOPE_WHEEL": str(build_wheel(tmp_path)),
        "PIP_NO_COMPILE": "1",  # each module is compiled when it is first imported; most never are
        # Where packages come from is the machine's affair and no part of the guide.
        **({"PIP_CONFIG_FILE": str(pip)} if pip.is_file() else {}),
    }
    shell = Shell(home, environment)
    output = tmp_path / "proxy.txt"
    denied = ""
    try:
        for command, shown in commands():
            if command == PROXY:
                with output.open("wb") as sink:
                    proxy = subprocess.Popen(
                        [
                            *command.split(),
                            "-p",
                            port,
                            "--set",
                            f"scope_connect_to=*.cloud.databricks.com=127.0.0.1:{workspace.port}",
                            "--set",
                            f"ssl_verify_upstream_trusted_ca={workspace.ca_file}",
                        ],
                        cwd=home / "brickscope",
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=sink,
                        stderr=subprocess.STDOUT,
                    )
                wait_for_port(proxy, output)
                continue
            if command.startswith(".venv/bin/brickscope check"):
                file = home / "brickscope" / _FILE[1]
                file.parent.mkdir()
                file.write_text(_FILE[2])
            if command.startswith(".venv/bin/brickscope audit show"):
                command = _DECISION.sub(denied, command)
            typed = TOKEN if command.startswith("read ") else ""
            status, printed = shell.run(command.replace(":8080", f":{port}"), typed)
            assert status == 0, (command, printed, shell.errors)
            found = _DECISION.search(printed)
            denied = found[0] if found else denied
            printed = printed.replace(str(home), "/home/ada").replace(f":{port}", ":8080")
            assert plain(printed) == plain(shown), command
    finally:
        shell.close()
        if proxy is not None:
            proxy.send_signal(signal.SIGINT)
            proxy.wait(60)
    assert "can't be prepared" not in output.read_text()
