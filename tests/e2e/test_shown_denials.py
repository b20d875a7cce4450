"""What docs/403.md says of refusals that a client does not show: each entry is brought about, and found in the log."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied

from brickscope.cli.main import main
from e2e.gate import HOST, TOKEN, Gate, head, running_gate
from e2e.raw_client import H1Response, connect, open_tls, read_h1, send_h1

PAGE = (Path(__file__).parents[2] / "docs" / "403.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## What your client shows\n")[2]
ROWS = {
    cells[0]: cells[3]
    for line in re.findall(r"^\| (.*) \|$", SECTION, re.M)
    if not (cells := line.split(" | "))[0].startswith(("what you see", "---"))
}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("shown"), proxy_authority) as gate:
        yield gate


def call(gate: Gate, raw: bytes, method: str = "GET") -> H1Response:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        send_h1(sock, raw)
        answer = read_h1(sock, method)
    assert answer is not None
    return answer


def sdk_head(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", gate.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gate.ca))
    sdk = WorkspaceClient(config=Config(host=f"https://{HOST}", token=TOKEN, auth_type="pat"))
    with pytest.raises(PermissionDenied) as error:
        sdk.files.get_directory_metadata("/Volumes/main/other")
    id_ = gate.proxy.audit("decision")[-1]["decision_id"]
    assert f"Denied by Brickscope: no_rule_matches, decision {id_}" in str(error.value)


def head_alone(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = call(gate, head("HEAD", "/api/2.0/fs/directories/Volumes/main/other"), "HEAD")
    assert answer.body == b""
    assert answer.values(b"x-brickscope-reason") == [b"no_rule_matches"]
    assert answer.values(b"x-request-id") == [gate.proxy.audit("decision")[-1]["decision_id"].encode()]


def upload(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the CLI does it: libs/filer/workspace_files_client.go, Write."""
    target = "/api/2.0/workspace-files/import-file/Users%2Fada%2FLAST-PART-OF-PATH.py?overwrite=true"
    raw = head("POST", target, "User-Agent: cli/0.270.0", "Content-Length: 2") + b"hi"
    assert call(gate, raw).status == 403


def thrift(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = head("POST", "/sql/1.0/warehouses/1", "Content-Type: application/x-thrift", "Content-Length: 0")
    assert b"Brickscope denied" in call(gate, raw).values(b"x-thriftserver-error-message")[0]


def oauth(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    form = b"grant_type=client_credentials&client_id=a&client_secret=b"
    lines = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}")
    answer = call(gate, head("POST", "/oidc/v1/token", *lines, token=None) + form)
    assert b'"error":"access_denied"' in answer.body


def refused_tunnel(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(gate.proxy.proxy_url, "127.0.0.1:443").sock:
        pass
    found = subprocess.run(
        [sys.executable, "-c", PYTHON, str(gate.proxy.port)], capture_output=True, text=True, check=False
    )
    assert "Tunnel connection failed: 403 Denied by Brickscope: address_not_allowed" in found.stderr


PYTHON = """
import http.client, sys
client = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]))
client.set_tunnel("10.1.1.1", 443)
client.request("GET", "/")
"""


def no_answer(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = call(gate, head("PUT", "/api/2.0/fs/files/x", "Transfer-Encoding: chunked") + b"nothing\r\n")
    assert b"Brickscope got no answer for this call" in answer.body


def asked_for_a_password(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """In test_other_hosts.py: it leaves no record."""


Act = Callable[[Gate, pytest.MonkeyPatch], None]
ACTS: dict[str, tuple[Act, str]] = {
    "Denied by Brickscope: REASON": (sdk_head, "decision"),
    "Forbidden. Config": (head_alone, "decision"),
    "access denied: PATH": (upload, "decision"),
    "unable to deploy to": (upload, "decision"),
    "bad HTTP status code": (thrift, "decision"),
    "access_denied": (oauth, "decision"),
    "Tunnel connection failed": (refused_tunnel, "tunnel"),
    "Proxy Authentication": (asked_for_a_password, ""),
    "Brickscope got no answer": (no_answer, "decision"),
}


def row_of(begin: str) -> tuple[str, str]:
    ((seen, found),) = [(seen, found) for seen, found in ROWS.items() if seen.startswith(f"`{begin}")]
    return seen, found


def test_each_entry_has_a_test() -> None:
    assert {row_of(begin)[0] for begin in ACTS} == set(ROWS)


@pytest.mark.parametrize(("begin", "act", "event"), [(b, *a) for b, a in ACTS.items()], ids=ACTS)
def test_the_command_of_an_entry_finds_the_decision(
    begin: str, act: Act, event: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(gate, monkeypatch)
    _, found = row_of(begin)
    if not event:
        assert found == "none is recorded"
        return
    if found.startswith("the same; the user agent"):
        found = row_of("access denied: PATH")[1]
        assert gate.proxy.audit("decision")[-1]["user_agent"].startswith("cli/")
    record: dict[str, Any] = gate.proxy.audit(event)[-1]
    program, *arguments = shlex.split(found.strip("`").replace("ID", record["decision_id"]))
    assert program == "brickscope"
    shown = CliRunner().invoke(main, [*arguments, str(gate.proxy.audit_file)], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert record["decision_id"] in shown.output or record["reason"] in shown.output
