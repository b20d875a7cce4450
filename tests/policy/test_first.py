"""The first policy: what it denies, what it takes to fill it in, and the words for whoever has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.core.policy import Mode
from brickscope.error import OperatorError
from brickscope.policy.first import how_to_begin, write_first
from brickscope.policy.load import NoPolicyError, load_policy


def test_it_denies_everything_until_somebody_is_named(tmp_path: Path) -> None:
    policy, tests = write_first(tmp_path / "rules")
    loaded = load_policy(tmp_path / "rules", 0)
    assert (loaded.policy.mode, loaded.policy.tokens) == (Mode.ENFORCE, {})
    assert {each.message for each in loaded.warnings} == {
        "no subject has the rule set 'catalog-reader'",
        "the policy names no token, service principal or user; every call is denied, and is logged",
    }
    assert loaded.files == [policy]
    assert tests.is_file()


def test_it_loads_as_its_comments_say(tmp_path: Path) -> None:
    policy, _ = write_first(tmp_path)
    text = policy.read_text().replace("sha256:...", "sha256:" + "0f" * 32)
    for line in ("  nightly", "    fingerprint", "    rule_set: catalog", "    workspaces"):
        text = text.replace(f"#{line}", line)
    policy.write_text(text)
    loaded = load_policy(tmp_path, 0)
    assert [subject.name for subject in loaded.policy.tokens.values()] == ["nightly-export"]
    assert loaded.warnings == []


@pytest.mark.parametrize("name", ["policy.yaml", "policy.test.yaml", "other.yml"])
def test_nothing_that_is_there_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(OperatorError, match=f"there is .*{name} already"):
        write_first(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(("path", "folder"), [("/a/rules", "/a/rules"), ("/a/mine.yaml", "/a")])
def test_it_says_how_to_make_one(path: str, folder: str) -> None:
    assert f"There is no policy in {path}." in how_to_begin(Path(path))
    assert how_to_begin(Path(path)).endswith(f"brickscope init {folder}")


@pytest.mark.parametrize("name", ["nowhere", "empty", "nowhere.yaml"])
def test_no_policy_is_an_error_of_its_own(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPolicyError):
        load_policy(tmp_path / name, 0)
