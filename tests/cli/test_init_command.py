"""``brickscope init`` as a shell sees it, and the three steps that it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main


def run(*arguments: str, given: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments), input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_steps_that_it_names_lead_to_a_policy_that_passes_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, output = run("init")
    assert status == 0
    assert "brickscope fingerprint --yaml nightly-export --rule-set catalog-reader" in output
    assert "brickscope test && brickscope check" in output
    assert "brickscope proxy --set scope_rules=rules" in output
    status, output = run("test")
    assert (status, "0 passed, 0 failed" in output) == (0, True)

    status, lines = run(
        "fingerprint", "--yaml", "nightly-export", "--rule-set", "catalog-reader", given="t0ken"
    )
    policy = tmp_path / "rules" / "policy.yaml"
    policy.write_text(policy.read_text().replace("tokens:\n", f"tokens:\n{lines}"))
    status, output = run("test")
    assert status == 1, "what nobody listed must be denied"
    assert "nightly-export: list catalogs" in output

    tests = tmp_path / "rules" / "policy.test.yaml"
    text = tests.read_text()
    for line in ("subjects:", "  nightly-export:", "    allow:"):
        text = text.replace(f"# {line}", line)
    tests.write_text(text)
    status, output = run("test")
    assert (status, "5 passed, 0 failed" in output) == (0, True)
    assert run("check") == (0, "nothing found\n")


def test_another_folder_is_in_all_that_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "rules"
    status, output = run("init", str(folder))
    assert status == 0
    assert f"brickscope test --rules {folder} && brickscope check --rules {folder}" in output
    assert run("init", str(folder)) == (
        2,
        "Usage: brickscope init [OPTIONS] [FOLDER]\nTry 'brickscope init --help' for help.\n\n"
        f"Error: there is {folder}/policy.yaml already; name a folder that has no policy yet\n",
    )
