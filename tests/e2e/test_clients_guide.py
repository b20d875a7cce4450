"""docs/clients.md, run as it is written: its commands before a real proxy, and what they print."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from brickscope.host.stack import STACKS
from brickscope.host.syntax import FORMATS
from clients.authority import make
from e2e.gate import running_gate
from e2e.test_doctor import Host

GUIDE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
_VARYING = (
    (re.compile(r"\b[0-9a-f]{8}-\d+\b"), "DECISION"),
    (re.compile(r"sha256:[0-9a-f]{16}"), "FINGERPRINT"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    # Where the system has its roots, and whether they are in one file.
    (re.compile(r"own store \(\S+\)"), "own store"),
)


def plain(text: str) -> list[str]:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text.splitlines()


@pytest.mark.timeout(600)
def test_the_guide_prints_what_it_shows(tmp_path: Path, proxy_authority: Path) -> None:
    home = tmp_path / "ada"
    home.mkdir()
    make("mitmproxy").write(home, "new-ca-cert.pem")
    with running_gate(tmp_path / "gate", proxy_authority) as gate:
        host = Host(gate, home, Path(shutil.copy(gate.ca, home)))
        port = str(gate.proxy.port)
        lines = 0
        kept: list[str] = []
        for block in re.findall(r"^```console\n(.*?)^```$", GUIDE, re.M | re.S):
            command, _, shown = block.removeprefix("$ ").partition("\n")
            command, _, status = command.partition("  # exit status ")
            command = command.replace("10.0.8.2:8080", f"127.0.0.1:{port}")
            script = "; ".join([*kept, command])
            done = subprocess.run(
                ["sh", "-c", script],
                env=host.environment({}),
                capture_output=True,
                text=True,
                timeout=240,
                cwd=home,
            )
            assert done.returncode == int(status or 0), done.stderr
            printed = done.stdout.replace(str(home), "/home/ada").replace("127.0.0.1", "10.0.8.2")
            printed = re.sub(rf"\b{port}\b", "8080", printed)
            assert plain(printed) == plain(shown), command
            lines += len(shown.splitlines())
            if command.startswith("eval"):
                kept.append(command)
    assert lines > 30


def test_the_table_of_the_guide_is_the_table_of_the_code() -> None:
    rows = {cells[1].strip("` "): cells for line in GUIDE.splitlines() if len(cells := line.split("|")) == 7}
    for stack in STACKS:
        _, _, serves, proxy, ca, _, _ = rows[stack.name]
        for held, cell in ((stack.serves, serves), (stack.proxy, proxy), (stack.ca, ca)):
            assert cell.strip() == ", ".join(f"`{name}`" for name in held), stack.name


def test_every_format_is_in_the_guide() -> None:
    for name in FORMATS:
        assert f"| `{name}` |" in GUIDE
