"""The guide of the first day, from monitor mode to an enforced policy, run as it is written: its files, its commands, and
what they print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied

from brickscope.cli.main import main
from e2e.conftest import StartProxy
from e2e.test_learn import sdk_through

GUIDE = Path(__file__).parents[2] / "docs" / "first-day.md"
_FILE = re.compile(r"^`([a-z/.-]+\.yaml)`:\n\n```yaml\n(.*?)^```$", re.M | re.S)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
# What differs from day to day and from run to run.
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?"), "DATE"),
    (re.compile(r"\b[0-9a-f]{8}-\d+\b"), "DECISION"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "REVISION"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|minutes?|hours?|seconds?)\b"), "TIME"),
    (re.compile(r"[ \t]+"), " "),
)


def plain(text: str) -> list[str]:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def blocks() -> Iterator[tuple[str, str, int]]:
    """The commands of the guide in their order, each with what it prints and its exit status."""
    for block in _CONSOLE.findall(GUIDE.read_text()):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            command, _, status = command.partition("  # exit status ")
            yield command, output, int(status or 0)


def nightly(sdk: WorkspaceClient) -> None:
    """The work of the token in the guide."""
    sdk.current_user.me()
    list(sdk.catalogs.list())
    for table in ("orders", "returns"):
        sdk.tables.get(f"main.sales.{table}")


def run_now(sdk: WorkspaceClient) -> None:
    sdk.api_client.do("POST", "/api/2.2/jobs/run-now", body={"job_id": 1012})


def test_the_guide_works_from_start_to_end(
    rules: Path, start_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = dict(_FILE.findall(GUIDE.read_text()))
    policy, tests = rules / "policy.yaml", rules / "nightly.test.yaml"
    policy.write_text(files["rules/policy.yaml"])
    watching = start_proxy()
    sdk = sdk_through(watching, monkeypatch)
    nightly(sdk)
    nightly(sdk)
    run_now(sdk)  # somebody tried something by hand
    watching.stop()

    monkeypatch.chdir(rules.parent)
    (rules.parent / "audit.jsonl").write_bytes(watching.audit_file.read_bytes())
    tests.write_text(files["rules/nightly.test.yaml"])
    said = []
    for command, output, status in blocks():
        if command.startswith("sed "):
            policy.write_text(policy.read_text().replace("    mode: monitor\n", ""))
            continue
        words = shlex.split(command)
        assert words.pop(0) == "brickscope"
        result = CliRunner().invoke(main, words)
        said.append(f"$ {command}\n{result.output}")
        assert result.exit_code == status, result.output
        if output.strip() != "…":
            assert plain(result.output) == plain(output), "\n".join(said)

    enforcing = start_proxy()
    sdk = sdk_through(enforcing, monkeypatch)
    nightly(sdk)
    with pytest.raises(PermissionDenied, match="Brickscope denied"):
        run_now(sdk)
