"""``brickscope audit report``: what it writes, what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brickscope.cli.main import main
from report.story import Story, make_story

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return make_story(tmp_path_factory.mktemp("story"), days=7, scale=0.5)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(main, ["audit", "report", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def test_it_writes_one_file_and_says_what_is_in_it(run: Run, story: Story) -> None:
    result = run(story.log, "--rules", story.rules)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert " calls by 8 subjects in 7 days; " in lines[0]
    assert "complete and unaltered as far as the checkpoint of 2026-11-22 23:57:14" in lines[-2]
    assert lines[-1].startswith("audit-report.html: ")
    file = Path("audit-report.html")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<h1>Audit report, 2026-11-16 to 2026-11-22</h1>" in page
    assert sorted(path.name for path in Path().iterdir()) == ["audit-report.html"]


def test_it_does_not_overwrite_a_file_unless_told_to(run: Run, story: Story) -> None:
    Path("audit-report.html").write_text("mine")
    refused = run(story.log, "--no-verify")
    assert refused.exit_code == 2
    assert "audit-report.html is there already: give another --out, or --force" in refused.stderr
    assert Path("audit-report.html").read_text() == "mine"
    assert run(story.log, "--no-verify", "--force").exit_code == 0
    assert Path("audit-report.html").read_text() != "mine"


def test_not_even_by_force_does_it_overwrite_the_log(run: Run, story: Story, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(story.log.read_bytes())
    refused = run(log, "--no-verify", "--force", "--out", "audit.jsonl")
    assert refused.exit_code == 2
    assert "audit.jsonl is a file of the log itself" in refused.stderr
    assert log.read_bytes() == story.log.read_bytes()


def test_it_goes_to_standard_output(run: Run, story: Story) -> None:
    result = run(story.log, "--no-verify", "--out", "-", "--title", "Proxies in <Frankfurt>")
    assert result.exit_code == 0
    assert result.stdout.startswith("<!doctype html>")
    assert "<title>Proxies in &lt;Frankfurt&gt;</title>" in result.stdout
    assert not list(Path().iterdir())


def test_since_tells_what_is_new(run: Run, story: Story) -> None:
    assert run(story.log, "--no-verify", "--since", "2026-11-18", "--until", "2026-11-22").exit_code == 0
    page = Path("audit-report.html").read_text(encoding="utf-8")
    assert "New is what was not seen from 2026-11-16 0" in page
    assert "1 new token, of ml-training." in page
    assert "asked for from 2026-11-18 00:00:00 until 2026-11-22 00:00:00" in page


def test_stale_days_are_as_asked(run: Run, story: Story) -> None:
    arguments = (story.log, "--no-verify", "--until", "2026-11-22", "--stale-days", "1", "--out", "-")
    assert "Subjects without a call in the 1 day before 2026-11-22 00:00:00" in run(*arguments).stdout


def test_a_damaged_log_is_reported_and_found(run: Run, story: Story, tmp_path: Path) -> None:
    log = tmp_path / "cut.jsonl"
    lines = story.log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:100] + lines[101:]))
    result = run(log)
    assert result.exit_code == 1
    assert "The log is not as it was written: something is wrong in 1 place." in result.stdout
    assert "1 record before this one is missing" in Path("audit-report.html").read_text(encoding="utf-8")


def test_lines_that_are_no_records_are_a_finding(run: Run, story: Story, tmp_path: Path) -> None:
    log = tmp_path / "odd.jsonl"
    log.write_bytes(story.log.read_bytes() + b"what?\n")
    result = run(log, "--no-verify")
    assert result.exit_code == 1
    assert "1 line is not a record, and left out" in result.stderr


def test_the_public_key_that_is_given_counts(run: Run, story: Story, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from brickscope.log.key import SigningKey
    from report.story import KEY

    right, wrong = tmp_path / "right.pem", tmp_path / "wrong.pem"
    right.write_text(KEY.public.pem)
    wrong.write_text(SigningKey(Ed25519PrivateKey.generate()).public.pem)
    assert run(story.log, "--public-key", right).exit_code == 0
    assert "signed by the key you gave" in Path("audit-report.html").read_text(encoding="utf-8")
    assert run(story.log, "--public-key", wrong, "--force").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl"], "there is no audit log nowhere.jsonl"),
        ([], "there is no audit.jsonl here"),
        (["LOG", "--since", "2027-01-01"], "the log has no records in this period"),
        (["LOG", "--since", "yesterday"], "no time"),
        (["LOG", "--out", "no/such/folder.html"], "there is no folder no/such to write folder.html into"),
        (["LOG", "--rules", "BROKEN"], "there is no rule set 'nobody'"),
        (["LOG", "--stale-days", "0"], "Invalid value for '--stale-days'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cant_be_done_is_said_without_a_traceback(
    arguments: list[str], message: str, run: Run, story: Story, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        (story.rules / "policy.yaml").read_text().replace("rule_set: deployer", "rule_set: nobody")
    )
    names = {"LOG": str(story.log), "BROKEN": str(broken)}
    result = run(*(names.get(each, each) for each in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not Path("audit-report.html").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_not_be_written_is_said(run: Run, story: Story, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    result = run(story.log, "--no-verify", "--out", folder / "report.html")
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


def test_the_help_has_examples(run: Run) -> None:
    said = run("--help").stdout
    assert "brickscope audit report --since 30d --rules rules" in said
    assert "Exit status: 0 written, 1 written and the log is damaged" in said


def test_what_it_prints_in_its_document_is_what_it_prints(run: Run, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "audit-report.md").read_text(encoding="utf-8")
    shown = re.search(r"^\$ brickscope audit report (.+)\n((?:.+\n)+?)```", text, re.M)
    assert shown is not None
    made = make_story(tmp_path / "story")
    made.log.parent.rename("log")
    made.rules.rename("rules")
    said = run(*shlex.split(shown[1])).stdout
    size = re.compile(r"\d+ kB")
    assert size.sub("", said) == size.sub("", shown[2])


def test_every_option_is_documented(run: Run) -> None:
    text = (Path(__file__).parents[2] / "docs" / "audit-report.md").read_text(encoding="utf-8")
    for option in re.findall(r"^  (--[a-z-]+)", run("--help").stdout, re.M):
        assert option == "--help" or f"`{option}" in text, option
