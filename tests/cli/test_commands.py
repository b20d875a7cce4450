"""The commands as a shell sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main

TOKEN = "dapi0123456789abcdef0123456789abcdef"
FINGERPRINT = "sha256:" + sha256(TOKEN.encode()).hexdigest()


def run(*arguments: str, given: str | bytes = "") -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments, input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_fingerprint_from_standard_input(end: str) -> None:
    assert run("fingerprint", given=TOKEN + end) == (0, FINGERPRINT + "\n")


def test_lines_for_a_policy() -> None:
    status, output = run("fingerprint", "--yaml", "ci", "--rule-set", "reader", given=TOKEN)
    assert status == 0
    assert output == f"  ci:\n    fingerprint: {FINGERPRINT}\n    rule_set: reader\n"


@pytest.mark.parametrize(
    "given", ["", "\n", f"Bearer {TOKEN}", f"{TOKEN} ", f"{TOKEN}\n\n", f"a\n{TOKEN}", f"{TOKEN}\r", "\u00e9"]
)
def test_what_is_no_token_is_a_usage_error_without_its_text(given: str) -> None:
    status, output = run("fingerprint", given=given)
    assert status == 2
    assert TOKEN not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("arguments", [("--yaml", "a: b"), ("--yaml", "ci", "--rule-set", "-x")])
def test_lines_for_a_policy_need_names_that_a_policy_takes(arguments: tuple[str, ...]) -> None:
    assert run("fingerprint", *arguments, given=TOKEN)[0] == 2


def test_a_closed_standard_input_is_a_usage_error() -> None:
    program = f"exec {sys.executable} -c 'from brickscope.cli.main import main; main()' fingerprint <&-"
    source = str(Path(__file__).parents[2] / "addon")
    result = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": source}
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_schema_that_is_no_text_differs(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_bytes(b"\xff")
    assert run("schema", "--check", str(tmp_path / "s.json"))[0] == 1


def test_a_token_is_never_an_argument() -> None:
    assert run("fingerprint", TOKEN)[0] == 2


def test_the_schema_and_its_check(tmp_path: Path) -> None:
    status, output = run("schema")
    assert status == 0
    (tmp_path / "s.json").write_text(output)
    assert run("schema", "--check", str(tmp_path / "s.json"))[0] == 0
    (tmp_path / "s.json").write_text(output + " ")
    status, output = run("schema", "--check", str(tmp_path / "s.json"))
    assert status == 1
    assert "brickscope schema" in output


@pytest.mark.parametrize("command", [(), ("fingerprint",), ("schema",)])
def test_help_has_examples(command: tuple[str, ...]) -> None:
    status, output = run(*command, "--help")
    assert status == 0
    assert "Examples:" in output
