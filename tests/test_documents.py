"""What the documents say is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from brickscope.core.reason import Reason
from brickscope.policy.load import load_policy
from brickscope.proxy.options import OURS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_every_reason_is_documented_in_its_own_sentence() -> None:
    text = (ROOT / "docs" / "reasons.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == {reason.value for reason in Reason}
    for reason in Reason:
        assert f"| `{reason.value}` | {reason.sentence} |" in text


def test_every_option_is_documented() -> None:
    text = (ROOT / "docs" / "options.md").read_text()
    assert re.findall(r"^\| `(scope_\w+)` \|", text, re.M) == [name for name, *_ in OURS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_whole_policy_in_the_documents_loads(page: Path, tmp_path: Path) -> None:
    for index, text in enumerate(re.findall(r"```yaml\n(version: 1\n.*?)```", page.read_text(), re.S)):
        file = tmp_path / f"{index}.yaml"
        file.write_text(text)
        policy = load_policy(file, 0).policy
        assert policy.tokens or policy.principals.service_principals


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_that_is_named_exists(page: Path) -> None:
    for name in re.findall(r"\bscripts/[a-z]+\b", page.read_text()):
        assert (ROOT / name).is_file(), name
