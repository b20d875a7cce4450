"""Variables in every syntax: read back by the real program where there is one, else by that syntax's own rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.host.syntax import FORMATS, evaluated, quote, render

HOSTILE = {
    "PLAIN": "http://10.0.8.2:8080",
    "BLANKS": "/a path/with  two",
    "QUOTES": "it's \"quoted\" 'twice''",
    "SHELL": "$(touch /tmp/brickscope-owned) `id` $HOME ${HOME} ; & | > < * ? [a] ~ ! # \\ \\\\ \\' \\\"",
    "ENDS_WITH_BACKSLASH": "C:\\certs\\",
    "PERCENT": "http://u:p%40ss@h:1 %h %% %n",
    "TYPOGRAPHIC": "‘a’ ‚b‛ “c” „d",
    "EMPTY": "",
    "UNICODE": "/zertifikate/größe/証明書.pem",
    "EQUALS": "a=b=c",
}


def run(command: list[str], script: str) -> dict[str, str]:
    """The variables that a shell has after a script."""
    if shutil.which(command[0]) is None:
        assert not os.environ.get("CI"), f"{command[0]} is missing"
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [*command, f"{script}\nenv -0"],
        capture_output=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
    )
    return dict(part.split("=", 1) for part in done.stdout.decode().split("\0") if "=" in part)


@pytest.mark.parametrize("shell", ["sh", "bash", "fish"])
def test_a_shell_reads_what_was_meant(shell: str) -> None:
    found = run([shell, "-c"], render(HOSTILE, "fish" if shell == "fish" else "sh"))
    assert {name: found.get(name) for name in HOSTILE} == HOSTILE
    assert not Path("/tmp/brickscope-owned").exists()


@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_an_evaluated_command_reaches_the_shell(shell: str, tmp_path: Path) -> None:
    file = tmp_path / "it's here"
    file.write_text(render(HOSTILE, shell))
    found = run([shell, "-c"], evaluated(f"cat {quote(str(file), shell)}", shell))
    assert {name: found.get(name) for name in HOSTILE} == HOSTILE


def powershell(line: str) -> tuple[str, str]:
    """Reads one assignment as PowerShell's tokenizer does (tokenizer.cs, ScanStringLiteral): within single quotes, of any of
    the five forms, only a doubled quote is one, and the first single one ends the string, which has to be the end."""
    match = re.fullmatch(r"\$env:(\w+) = '(.*)'", line)
    assert match
    name, inside = match.groups()
    value, rest = "", inside
    while rest:
        if rest[0] in "'‘’‚‛":
            assert len(rest) > 1, "the string ends early"
            assert rest[1] in "'‘’‚‛", "the string ends early"
            value, rest = value + rest[0], rest[2:]
        else:
            value, rest = value + rest[0], rest[1:]
    return name, value


def systemd(line: str) -> tuple[str, str]:
    """Reads one Environment= as systemd does: unquoting with C escapes, then specifiers (extract-word.c, specifier.c)."""
    match = re.fullmatch(r'Environment="((?:[^"\\]|\\["\\])*)"', line)
    assert match, line
    text = re.sub(r"\\(.)", r"\1", match[1])
    assert re.sub("%%", "", text).count("%") == 0, "a specifier is left"
    name, _, value = text.replace("%%", "%").partition("=")
    return name, value


def dockerfile(line: str) -> tuple[str, str]:
    """Reads one ENV as BuildKit's shell lexer does within double quotes."""
    match = re.fullmatch(r'ENV (\w+)="((?:[^"\\$]|\\["\\$])*)"', line)
    assert match, line
    return match[1], re.sub(r"\\(.)", r"\1", match[2])


READERS = {
    "powershell": powershell,
    "systemd": systemd,
    "dockerfile": dockerfile,
    "docker": lambda line: tuple(line.split("=", 1)),
    "github-actions": lambda line: tuple(line.split("=", 1)),
}


@pytest.mark.parametrize("form", READERS)
def test_a_file_holds_what_was_meant(form: str) -> None:
    lines = render(HOSTILE, form).splitlines()
    assert dict(READERS[form](line) for line in lines) == HOSTILE


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_any_text_comes_back_from_every_file(value: str) -> None:
    for form, read in READERS.items():
        (line,) = render({"X": value}, form).split("\n")[:-1]
        assert read(line) == ("X", value)
    assert json.loads(render({"X": value}, "json")) == {"X": value}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", ["a\nB=c", "a\rb", "a\0b", "a\x1bb", "a\u2028b"])
def test_a_value_cannot_begin_another_line(form: str, value: str) -> None:
    with pytest.raises(ValueError, match="control character or a line end"):
        render({"X": value}, form)


def test_systemd_takes_the_lines(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        assert not os.environ.get("CI"), "systemd-analyze is missing"
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "job.service"
    wrong = tmp_path / "wrong.service"
    head = "[Service]\nExecStart=/bin/true\n"
    unit.write_text(head + render(HOSTILE, "systemd"))
    wrong.write_text(head + 'Environment="no end\n')
    assert said_by_systemd(unit) == ""
    assert "Environment" in said_by_systemd(wrong) or "Invalid" in said_by_systemd(wrong)


def said_by_systemd(unit: Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60
    )
    return "".join(line for line in (done.stdout + done.stderr).splitlines() if unit.name in line)


def test_docker_reads_the_same(tmp_path: Path) -> None:
    """`docker run --env-file` needs a daemon, so its rule stands here: the line up to = and all after it, as it is."""
    lines = render(HOSTILE, "docker").splitlines()
    assert all(not line.startswith("#") and line == line.lstrip() for line in lines)
