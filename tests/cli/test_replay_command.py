"""``brickscope replay`` as a shell sees it: what it counts, what fails, and what it can't know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from brickscope.cli.main import main
from brickscope.log.closed import compress
from brickscope.log.key import DigestKey
from log.written import call, open_writer, start, stop

FINGERPRINT = f"sha256:{'a' * 64}"
SECRET = "dapi" + "0" * 32
COMMON: dict[str, Any] = {
    "subject": "ci",
    "fingerprint": FINGERPRINT,
    "rule_set": "r",
    "client_address": "10.1.2.3",
    "server_address": "dbc-a1b2c3d4-e5f6.cloud.databricks.com",
    "params": {},
    "param_names": None,
    "principal": None,
    "grant": None,
    "has_body": False,
    "workspace": None,
    "host_workspace": None,
}
RUN = {"method": "POST", "path": "/api/2.2/jobs/run-now", "operation": "jobs.run_now", "has_body": True}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of one day: what was allowed, denied, watched, and hidden behind a digest."""
    writer = open_writer(tmp_path)
    key = DigestKey.load_or_make(tmp_path / "digest-key")
    start(writer, key.key_id)
    for _ in range(3):
        call(writer, operation="catalogs.list", **COMMON)
    call(writer, allow=False, operation="jobs.list", **COMMON, path="/api/2.2/jobs/list")
    call(
        writer,
        allow=False,
        operation="clusters.list",
        path="/api/2.1/clusters/list",
        enforced=False,
        mode="monitor",
        **COMMON,
    )
    call(writer, **{**COMMON, **RUN, "params": {"job_id": 13}})
    call(writer, **{**COMMON, **RUN, "params": {"idempotency_token": {"hmac_sha256": key.digest(SECRET)}}})
    stop(writer)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replay(folder: Path, allow: list[Any], *arguments: str, **subject: Any) -> Result:
    policy = {
        "version": 1,
        "tokens": {"ci": {"fingerprint": FINGERPRINT, "rule_set": "r", **subject}},
        "rule_sets": {"r": {"allow": allow}},
    }
    (folder / "candidate.yaml").write_text(json.dumps(policy))
    return CliRunner().invoke(main, ["replay", "--rules", "candidate.yaml", *arguments])


def counts(result: Result) -> dict[str, int]:
    said = json.loads(result.stdout)
    return {
        name: said[name]
        for name in (
            "unchanged",
            "newly_allowed",
            "newly_denied",
            "newly_refused",
            "newly_sent",
            "not_replayable",
        )
        if said[name]
    }


JOB: dict[str, Any] = {"operation": "jobs.run_now", "where": {"job_id": 13}}
TOKEN: dict[str, Any] = {"operation": "jobs.run_now", "where": {"idempotency_token": SECRET}}
# rules, what becomes of the seven calls, exit status
CASES: dict[str, tuple[list[Any], dict[str, int], int]] = {
    "what was allowed stays so": (
        ["catalogs.list", "jobs.run_now"],
        {"unchanged": 6, "newly_refused": 1},
        0,
    ),
    "one more": (
        ["catalogs.list", "jobs.run_now", "jobs.list"],
        {"unchanged": 5, "newly_allowed": 1, "newly_refused": 1},
        1,
    ),
    "what was watched is allowed": (
        ["catalogs.list", "jobs.run_now", "clusters.list"],
        {"unchanged": 6, "newly_allowed": 1},
        1,
    ),
    "what was used is gone": (["jobs.run_now"], {"unchanged": 3, "newly_denied": 3, "newly_refused": 1}, 0),
    "a limit that the log can tell of one call": (
        ["catalogs.list", JOB],
        {"unchanged": 5, "newly_refused": 1, "not_replayable": 1},
        0,
    ),
    "a limit on a secret, without the key": (
        ["catalogs.list", TOKEN],
        {"unchanged": 4, "newly_refused": 1, "not_replayable": 2},
        0,
    ),
}


@pytest.mark.parametrize(("rules", "expected", "status"), CASES.values(), ids=CASES)
def test_what_it_counts(rules: list[Any], expected: dict[str, int], status: int, folder: Path) -> None:
    result = replay(folder, rules, "--json")
    assert counts(result) == expected
    assert result.exit_code == status


def test_with_the_key_a_secret_is_recognised(folder: Path) -> None:
    result = replay(folder, ["catalogs.list", TOKEN], "--json", "--digest-key", "digest-key")
    # The other call of that operation lacks the parameter, as far as the log tells: nothing looked at it.
    assert counts(result) == {"unchanged": 5, "newly_refused": 1, "not_replayable": 1}
    assert SECRET not in result.output


def test_another_key_is_no_key(folder: Path) -> None:
    DigestKey.load_or_make(folder / "other-key")
    result = replay(folder, ["catalogs.list", TOKEN], "--json", "--digest-key", "other-key")
    assert counts(result)["not_replayable"] == 2


def test_monitor_mode_lets_go_on(folder: Path) -> None:
    said = counts(replay(folder, ["jobs.run_now"], "--json", mode="monitor"))
    assert said == {"unchanged": 3, "newly_denied": 3, "newly_sent": 1}


def test_an_expiry_parts_the_calls_by_their_time(folder: Path) -> None:
    assert (
        counts(replay(folder, ["catalogs.list", "jobs.run_now"], "--json", expires="2020-01-01"))[
            "newly_denied"
        ]
        == 5
    )
    assert "newly_denied" not in counts(
        replay(folder, ["catalogs.list", "jobs.run_now"], "--json", expires="2099-01-01")
    )


@pytest.mark.parametrize(
    ("rules", "fail_on", "status"),
    [
        (["jobs.run_now"], "denied", 1),
        (["jobs.run_now"], "allowed", 0),
        (["jobs.list"], "never", 0),
        (["catalogs.list", JOB], "not-replayable", 1),
    ],
)
def test_what_fails(rules: list[Any], fail_on: str, status: int, folder: Path) -> None:
    assert replay(folder, rules, "--fail-on", fail_on).exit_code == status


def test_people_are_told_groups_with_examples(folder: Path) -> None:
    result = replay(folder, ["jobs.list", "jobs.run_now"])
    assert "1 newly allowed" in result.stdout
    assert "3 newly denied" in result.stdout
    assert "catalogs.list" in result.stdout
    assert result.stderr == ""


def test_bad_lines_are_named_and_not_fatal(folder: Path) -> None:
    with (folder / "audit.jsonl").open("ab") as file:
        file.write(
            b'not json\n{"event":"decision"}\n{"event":"decision","reason":[],"time":1,"decision_id":2}\n\xff\n'
        )
        first = json.loads((folder / "audit.jsonl").read_bytes().splitlines()[1])
        file.write(json.dumps(first | {"grant": "none"}, separators=(",", ":")).encode() + b"\n")
    result = replay(folder, ["catalogs.list", "jobs.run_now"], "--json")
    said = json.loads(result.stdout)
    assert (said["calls"], said["bad_lines"]) == (7, 5)
    assert result.stderr.count("the line is no record") == 5


def test_compressed_files_and_periods(folder: Path) -> None:
    (folder / "audit.jsonl").rename(folder / "old.jsonl")
    compress(folder / "old.jsonl", "zstd")
    assert json.loads(replay(folder, ["catalogs.list"], "--json", "old.jsonl.zst").stdout)["calls"] == 7
    nothing = replay(folder, ["catalogs.list"], "--json", "--until", "2020-01-01", "old.jsonl.zst")
    assert json.loads(nothing.stdout)["calls"] == 0


def test_a_policy_that_does_not_load_is_said(folder: Path) -> None:
    result = replay(folder, ["jobs.lsit"])
    assert result.exit_code == 2
    assert "did you mean 'jobs.list'" in result.output
    assert "Traceback" not in result.output
