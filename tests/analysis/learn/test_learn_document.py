"""docs/learn.md shows what the command prints: its session is made again, and its commands are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from analysis.learn.sessions import Did, get, run, session
from audit.made_log import write_log

PAGE = Path(__file__).parents[3] / "docs" / "learn.md"
FILES = "/api/2.0/fs/files/Volumes/main/raw"


def two_weeks() -> list[Did]:
    """What `ci` does: each night for two weeks, and a few things on the side."""
    calls: list[Did] = []
    for day in range(14):
        at = 24.0 * day + 2
        calls += [
            get("/api/2.0/preview/scim/v2/Me", hours=at),
            get("/api/2.1/unity-catalog/catalogs", hours=at),
            get("/api/2.2/jobs/get", hours=at),
            Did("POST", "/api/2.2/jobs/run-now", hours=at),
            *(get(f"/api/2.1/unity-catalog/tables/main.sales.{table}", hours=at) for table in _TABLES),
            *(get(f"{FILES}/2026-11-{day + 1:02}/part-{part}.csv", hours=at) for part in range(3)),
        ]
    calls += [
        get("/api/2.0/sql/queries", hours=54),
        get("/api/2.0/lakebase/v9/databases/17", hours=55),
        get("/api/2.0/secrets/get", hours=55),
        get("/api/2.0/sql/warehouses", status=403, hours=56),
        get("/api/2.0/token/list", status=None, hours=57, fields={"enforced": True}),
    ]
    return sorted(calls, key=lambda did: did.hours)


_TABLES = ("orders", "returns", "customers", "items", "prices", "stores")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_log(tmp_path, session(two_weeks()))
    (tmp_path / "rules").mkdir()
    policy = re.search(r"```yaml\n(version: 1\n.*?)```", PAGE.read_text(), re.S)
    assert policy is not None
    (tmp_path / "rules" / "policy.yaml").write_text(policy[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_the_document_shows_is_what_is_printed(folder: Path) -> None:
    shown = re.findall(r"```console\n\$ brickscope learn (.*?)\n(.*?)```", PAGE.read_text(), re.S)
    assert len(shown) == 1
    for command, output in shown:
        result = run(*shlex.split(command))
        assert result.exit_code == 0
        assert result.stdout == output
