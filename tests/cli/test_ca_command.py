"""``brickscope ca`` as a shell sees it: exit status, words, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brickscope.cli.main import main
from brickscope.service.authority.creation import make_authority
from brickscope.service.authority.folder import AuthorityFolder


def ca(*words: str | Path) -> Result:
    result = CliRunner().invoke(main, ["ca", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("command", ["show", "use", "retire", "bundle"])
def test_without_an_authority_it_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    result = ca(command, "--confdir", tmp_path)
    assert result.exit_code == 2
    assert "there is no" in result.output


def test_a_new_one_is_shown_in_json(tmp_path: Path) -> None:
    made = json.loads(ca("new", "--confdir", tmp_path, "--days", 90, "--name", "Ours", "--json").output)
    assert (made["role"], made["subject"], made["days_left"]) == ("current", "CN=Ours,O=Brickscope", 89)
    assert made["domains"] == ["cloud.databricks.com", "databricksapps.com"]
    told = json.loads(ca("show", "--confdir", tmp_path, "--json").output)
    assert told["authorities"] == [made]
    assert told["findings"] == []
    assert told["bundle"] == str(tmp_path / "brickscope-ca-bundle.pem")


def test_if_missing_makes_one_once(tmp_path: Path) -> None:
    first = json.loads(ca("new", "--if-missing", "--confdir", tmp_path, "--json").output)
    again = json.loads(ca("new", "--if-missing", "--confdir", tmp_path, "--json").output)
    assert first == again
    assert not (tmp_path / "brickscope-ca-next.pem").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--domain", "*.cloud.databricks.com"], "without '*.'"),
        (["--any-name", "--domain", "x.com"], "one of them"),
        (["--days", "0"], "0"),
        (["--name", "x" * 51], "1 to 50"),
    ],
)
def test_what_can_not_be_is_said_and_nothing_is_made(words: list[str], said: str, tmp_path: Path) -> None:
    result = ca("new", "--confdir", tmp_path, *words)
    assert result.exit_code == 2
    assert said in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--soon", "91"], "expires on"),
        (["--host", "adb-1.azuredatabricks.net"], "not for adb-1.azuredatabricks.net"),
    ],
)
def test_what_needs_attention_is_exit_status_1(words: list[str], said: str, tmp_path: Path) -> None:
    AuthorityFolder(tmp_path).add(make_authority(["cloud.databricks.com"], 90))
    assert ca("show", "--confdir", tmp_path).exit_code == 0
    result = ca("show", "--confdir", tmp_path, *words)
    assert result.exit_code == 1
    assert said in result.output


def test_any_name_is_shown_as_such(tmp_path: Path) -> None:
    assert "signs for   any name" in ca("new", "--any-name", "--confdir", tmp_path).output


def test_a_broken_file_is_words(tmp_path: Path) -> None:
    (tmp_path / "mitmproxy-ca.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    for command in ("show", "new", "bundle"):
        result = ca(command, "--confdir", tmp_path)
        assert result.exit_code == 2
        assert "holds no certificate" in result.output


def test_the_bundle_holds_no_key(tmp_path: Path) -> None:
    ca("new", "--confdir", tmp_path)
    ca("new", "--confdir", tmp_path)
    printed = ca("bundle", "--confdir", tmp_path).output
    assert printed.count("BEGIN CERTIFICATE") == 2
    assert "KEY" not in printed
    assert "KEY" not in (tmp_path / "brickscope-ca-bundle.pem").read_text()
