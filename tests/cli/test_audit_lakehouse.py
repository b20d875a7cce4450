"""``brickscope audit lakehouse`` as it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audit.made_log import POLICY
from brickscope.audit.queries import names, query
from brickscope.cli.main import main


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["audit", "lakehouse", *map(str, words)])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def test_without_a_name_it_lists_all_there_is_in_the_order_of_use() -> None:
    lines = run().stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*names(), "policy"]
    assert [line.split()[0] for line in lines[:4]] == ["table", "stream", "views", "setup"]


@pytest.mark.parametrize("name", names())
def test_each_is_printed_as_it_is_in_its_file(name: str) -> None:
    result = run(name)
    assert result.exit_code == 0
    assert result.stdout == query(names()[name]) + "\n"


def test_a_policy_becomes_rows(rules: Path) -> None:
    text = run("policy", "--rules", rules).stdout
    assert "('rule', NULL, 'job-runner', 'deny', 'jobs.delete')" in text
    assert "('etl', '6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e')" in text
    assert "('alice', 'alice@example.com')" in text
    # Whose token it is, is not in the policy; what somebody has filled in for it stays.
    assert "WHERE subject NOT IN ('dashboard', 'nightly-export', 'old-script', 'retired')" in text


def test_a_name_with_signs_of_sql_is_a_text(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.replace("GET /api/2.0/preview/sql/queries", '"GET /api/2.0/it\'s"'))
    text = run("policy", "--rules", file).stdout
    assert "'GET /api/2.0/it\\'s'" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bypas"], "did you mean 'bypass'"),
        (["zzzzzzzz"], "without a name it lists them"),
        (["policy"], "'policy' and --rules go together"),
        (["bypass", "--rules", "{rules}"], "'policy' and --rules go together"),
        (["policy", "--rules", "{broken}"], "policy.yaml"),
    ],
)
def test_a_mistake_is_said(words: list[str], message: str, rules: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "policy.yaml"
    broken.parent.mkdir()
    broken.write_text("version: 1\ntokens: 7\n")
    result = run(*(word.format(rules=rules, broken=broken) for word in words))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
