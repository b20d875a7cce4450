"""docs/upkeep.md and SECURITY.md: what they show is what is printed, and what they name is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from mitmproxy.certs import CertStore

from brickscope.cli.main import main
from log.written import call, open_writer, start

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "upkeep.md").read_text()
CONFDIR, OLD = "/var/lib/brickscope/ca", "/etc/brickscope/old.pem"
# What differs from run to run.
_VARYING = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"(Brickscope CA DATE) [0-9a-f]{4}"), r"\1 NAME"),
    (re.compile(r"[\d,]+ days left"), "N days left"),
)


def file_patterns() -> list[str]:
    """The names of files in the table of files."""
    rows = re.findall(r"^\| (`[^|]+`) \|[^|]+\|[^|]+, [^|]+\|", PAGE, re.M)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def commands() -> Iterator[tuple[str, str, int]]:
    """Each command of the page, with what it prints and its exit status."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            command, _, status = command.partition("  # exit status ")
            yield command, output, int(status or 0)


def plain(text: str) -> list[str]:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_the_commands_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    confdir, old = tmp_path / "ca", tmp_path / "old.pem"
    CertStore.from_store(confdir, "mitmproxy", 2048)
    old.write_bytes((confdir / "mitmproxy-ca-cert.pem").read_bytes())
    writer = open_writer(tmp_path)
    start(writer)
    call(writer, subject="nightly-export", client_address="10.0.8.14", user_agent="curl/8")
    writer.close()
    monkeypatch.chdir(tmp_path)
    ran: list[str] = []
    for command, output, status in commands():
        if not command.startswith("brickscope "):
            continue
        words = command.replace(CONFDIR, str(confdir)).replace(OLD, str(old))
        result = CliRunner().invoke(main, shlex.split(words)[1:])
        assert result.exit_code == status, f"{command}\n{result.output}"
        printed = result.output.replace(str(confdir), CONFDIR).replace(str(old), OLD)
        if output.strip():
            assert plain(printed) == plain(output), command
        ran.append(" ".join(shlex.split(command)[1:3]))
    assert set(ran) == {"ca show", "ca new", "ca use", "ca retire", "audit search"}
    assert "10.0.8.14" in (tmp_path / "nightly-export.csv").read_text()


def test_the_files_of_the_table_are_those_of_the_code() -> None:
    from brickscope.log.writer import DIGEST_KEY, SIGNING_KEY
    from brickscope.service.authority import folder

    named = set(file_patterns())
    assert {
        folder.CURRENT,
        folder.CERTIFICATE,
        folder.NEXT,
        folder.PREVIOUS,
        folder.BUNDLE,
        *folder.COPIES,
    } <= named
    assert {SIGNING_KEY, DIGEST_KEY} <= named


def test_what_is_lost_and_restored_is_tested_line_by_line() -> None:
    table = PAGE.partition("## Backup and disaster")[2].partition("## Capacity")[0]
    lost = re.findall(r"^\| (?!lost|---)([^|]+) \|", table, re.M)
    assert [each.strip("`") for each in lost] == [
        "mitmproxy-ca.pem",
        "brickscope-audit-key.pem",
        "brickscope-digest-key",
        "the log",
        "the log, older copy put back",
        "rules/",
        "everything",
    ]
    tests = (ROOT / "tests" / "e2e" / "test_restore.py").read_text()
    for word in ("authority", "signing_key", "digest_key", "lost_log", "older copy", "policy", "everything"):
        assert word in tests


def test_the_security_policy_says_what_it_has_to() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    for heading in ("vulnerability", "not", "report", "supported", "fixes", "Hardening", "keep safe"):
        assert re.search(rf"^## .*{heading}", text, re.M), heading
    hidden = re.findall(r"`(brickscope [a-z-]+)", text)
    assert {each.split()[1] for each in hidden} - {"--version"} <= set(
        main.list_commands(click.Context(main))
    )
