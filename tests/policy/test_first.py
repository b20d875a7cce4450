"""The policy that is shown to whoever has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.policy.first import EXAMPLE, how_to_begin
from brickscope.policy.load import NoPolicyError, load_policy
from brickscope.policy.problem import PolicyError


def test_it_loads_once_the_fingerprint_is_in_it_and_not_before(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(EXAMPLE)
    with pytest.raises(PolicyError, match="fingerprint"):
        load_policy(tmp_path, 0)
    file.write_text(EXAMPLE.replace("sha256:...", "sha256:" + "0f" * 32))
    assert load_policy(tmp_path, 0).policy.tokens


@pytest.mark.parametrize(
    ("path", "file"), [("/a/rules", "/a/rules/policy.yaml"), ("/a/mine.yaml", "/a/mine.yaml")]
)
def test_it_says_where_to_write_it(path: str, file: str) -> None:
    assert f"There is no policy in {path}." in how_to_begin(Path(path))
    assert f"or write {file}:\n" in how_to_begin(Path(path))


@pytest.mark.parametrize("name", ["nowhere", "empty", "nowhere.yaml"])
def test_no_policy_is_an_error_of_its_own(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPolicyError):
        load_policy(tmp_path / name, 0)
