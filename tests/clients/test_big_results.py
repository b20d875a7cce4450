"""What is big goes its own ways: files in parts and ranges by presigned links, results by links to storage."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.installed import PYTHON
from clients.roster import DRIVERS, OPENSSL, REQUESTS, WAREHOUSE, token_of
from clients.stage import RULES, Stage, outcome
from e2e.proxy_process import ProxyProcess
from lab.workspace.streams import pattern

pytestmark = pytest.mark.timeout(600)

LARGE = bool(os.environ.get("BRICKSCOPE_LARGE"))
FILE_SIZE = 2 * 1024**3 if LARGE else 150 * 1024**2
ROWS = 2_000_000 if LARGE else 25_000
FILES = {"DATABRICKS_HOST": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"}


def hash_of(size: int) -> str:
    digest = hashlib.sha256()
    for piece in pattern(size):
        digest.update(piece)
    return digest.hexdigest()


def move(stage: Stage, rule_set: str, size: int) -> subprocess.CompletedProcess[str]:
    """A file of this size down, and up again."""
    return stage.run(
        (str(PYTHON), str(DRIVERS / "sdk_files.py"), "allowed", str(size), str(stage.folder)),
        REQUESTS,
        FILES | {"DATABRICKS_TOKEN": token_of(rule_set)},
    )


def test_the_sdk_moves_a_file_in_parts_and_ranges(stage: Stage) -> None:
    before, tunnels = len(stage.decisions()), len(stage.proxy.audit("tunnel"))
    idle = stage.proxy.rss_kib()
    done = move(stage, "databricks-sdk-files", FILE_SIZE)
    assert outcome(done) == {"value": {"size": FILE_SIZE, "sha256": hash_of(FILE_SIZE)}}, done.stderr
    decided = stage.decisions(before)
    assert {record["decision"] for record in decided} == {"allow"}
    operations = [record["operation"] for record in decided]
    assert {"files.get_metadata", "fs.download_url", "files.multipart_upload", "fs.presigned_urls"} <= {
        *operations
    }
    arrived = stage.workspace.requests()
    parts = [request for request in arrived if request["path"].startswith("/presigned/parts/")]
    ranges = [request for request in arrived if "range" in request["headers"]]
    assert len(parts) > 1
    assert len(ranges) > 1
    assert sum(request["body_length"] for request in parts) == FILE_SIZE
    stored = [record for record in stage.proxy.audit("tunnel")[tunnels:] if record["reason"] == "other_host"]
    assert {record["server_address"] for record in stored} == {"localhost"}
    assert not [request for request in parts + ranges if "authorization" in request["headers"]]
    assert stage.proxy.rss_kib() - idle < 60 * 1024


def test_the_sdk_goes_through_the_workspace_where_links_are_refused(stage: Stage) -> None:
    before = len(stage.decisions())
    idle = stage.proxy.rss_kib()
    done = move(stage, "databricks-sdk-files-inside", FILE_SIZE)
    assert outcome(done) == {"value": {"size": FILE_SIZE, "sha256": hash_of(FILE_SIZE)}}, done.stderr
    decided = stage.decisions(before)
    denied = [record["operation"] for record in decided if record["decision"] == "deny"]
    assert {*denied} == {"fs.download_url", "files.multipart_upload"}
    assert len(denied) <= 16, "it tried again and again"
    arrived = stage.workspace.requests()
    assert not [request for request in arrived if request["path"].startswith("/presigned/")]
    (upload,) = [request for request in arrived if request["method"] == "PUT"]
    assert upload["body_length"] == FILE_SIZE
    assert upload["body_sha256"] == hash_of(FILE_SIZE)
    assert stage.proxy.rss_kib() - idle < 60 * 1024


def test_an_upload_beside_the_volume_is_refused_at_once(stage: Stage) -> None:
    before = len(stage.decisions())
    source = stage.folder / "source.bin"
    source.write_bytes(b"x" * 1_000_000)
    done = stage.run(
        (str(PYTHON), str(DRIVERS / "sdk_files.py"), "refused", "0", str(source)),
        REQUESTS,
        FILES | {"DATABRICKS_TOKEN": token_of("databricks-sdk-files")},
    )
    shown = outcome(done)
    denied = [record for record in stage.decisions(before) if record["decision"] == "deny"]
    assert {record["path"] for record in denied} == {"/api/2.0/fs/files/Volumes/other/s/v/x.bin"}
    assert shown["error"].startswith("Brickscope denied PUT /api/2.0/fs/files/Volumes/other/s/v/x.bin"), shown
    assert denied[-1]["decision_id"] in shown["error"]
    assert len(denied) <= 2, "it tried again"
    assert [request for request in stage.workspace.requests() if request["body_length"]] == []


def test_the_sql_connector_fetches_a_big_result_by_links(stage: Stage) -> None:
    tunnels = len(stage.proxy.audit("tunnel"))
    done = stage.run(
        (
            str(PYTHON),
            str(DRIVERS / "sql_connector.py"),
            WAREHOUSE,
            f"SELECT * FROM range({ROWS})",
        ),
        OPENSSL,
        {"DATABRICKS_TOKEN": token_of("sql-connector")},
    )
    assert outcome(done) == {"value": {"rows": ROWS, "sum": sum(range(ROWS))}}, done.stderr
    links = [
        request for request in stage.workspace.requests() if request["path"].startswith("/presigned/kept/")
    ]
    assert len(links) == ROWS // 1_000
    assert not [request for request in links if "authorization" in request["headers"]]
    stored = [record for record in stage.proxy.audit("tunnel")[tunnels:] if record["reason"] == "other_host"]
    assert {record["server_address"] for record in stored} == {"localhost"}


@pytest.fixture
def closed(stage: Stage, tmp_path: Path) -> Iterator[Stage]:
    """The same behind a proxy that lets nobody out to other hosts."""
    authority = stage.proxy.ca_file.parent
    with ProxyProcess.start(
        tmp_path / "proxy",
        RULES,
        upstream_port=stage.workspace.port,
        upstream_ca=stage.workspace.ca_file,
        authority=authority,
        arguments=["--set", "scope_other_hosts=deny"],
    ) as proxy:
        yield Stage(tmp_path, proxy, stage.workspace)


@pytest.mark.parametrize(("how", "by_links"), [("inside", False), ("once", True)], ids=["inside", "by links"])
def test_where_storage_is_closed_results_come_inside(how: str, by_links: bool, closed: Stage) -> None:
    command = [str(PYTHON), str(DRIVERS / "sql_connector.py"), WAREHOUSE, "SELECT * FROM range(1500)", how]
    done = closed.run(command, OPENSSL, {"DATABRICKS_TOKEN": token_of("sql-connector")})
    tunnels = [record for record in closed.proxy.audit("tunnel") if record["decision"] == "deny"]
    if not by_links:
        assert outcome(done) == {"value": {"rows": 1500, "sum": sum(range(1500))}}, done.stderr
        assert tunnels == []
        return
    shown = outcome(done)["error"]
    assert "Tunnel connection failed: 403 Denied by Brickscope: other_host, decision " in shown
    assert any(f"decision {record['decision_id']}" in shown for record in tunnels)
