"""What the documents say is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main
from brickscope.core.reason import Reason
from brickscope.policy.load import load_policy
from brickscope.policy.operations import presets
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
    for name in re.findall(r"\bscripts/[a-z]+(?:-[a-z]+)*\b", page.read_text()):
        assert (ROOT / name).is_file(), name


def test_every_preset_is_documented() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \|$", text, re.M)) == set(presets())


def test_what_catalog_search_prints_in_the_documents_is_what_it_prints() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    shown = re.findall(r"^\$ brickscope (catalog search .+)\n([^$`].*)$", text, re.M)
    assert len(shown) == 2
    for command, line in shown:
        result = CliRunner().invoke(main, shlex.split(command.replace("…", "x")))
        assert result.output.splitlines()[0] == line
