"""Everything a demonstration needs, in one temporary folder: a workspace, a policy, a token, a proxy before them."""

import hashlib
import http.client
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from brickscope.host.proxy_url import read_proxy_url
from brickscope.host.variables import variables

from .workspace import CATALOGS, QUERIES, FakeWorkspace, open_workspace

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
CALL_SECONDS = 10.0

POLICY = f"""\
version: 1

tokens:
  demo:
    fingerprint: sha256:{{fingerprint}}
    rule_set: catalog-reader

rule_sets:
  catalog-reader:
    allow:
      - GET {CATALOGS}
      - GET {QUERIES}
"""


class StageError(Exception):
    """Something did not come up; the message says what, and what it printed."""


class Answer(NamedTuple):
    """The answer to a call: its status and its JSON."""

    status: int
    value: Any


class Stage:
    """What is running. Made by ``open_stage``."""

    process: subprocess.Popen[bytes]
    """The proxy."""

    def __init__(self, folder: Path, workspace: FakeWorkspace, token: str, port: int) -> None:
        self.workspace = workspace
        self.token = token
        self.policy_file = folder / "rules" / "policy.yaml"
        self.audit_file = folder / "audit.jsonl"
        self._port = port
        self._ca_file = folder / "confdir" / "mitmproxy-ca-cert.pem"

    def call(self, path: str) -> Answer:
        """GET a path of the workspace as any client with HTTPS_PROXY would: a tunnel, TLS inside, a bearer token."""
        context = ssl.create_default_context(cafile=str(self._ca_file))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=CALL_SECONDS, context=context
        )
        try:
            connection.set_tunnel(HOST, 443)
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StageError(f"GET {path} failed: {type(error).__name__}: {error}") from error
        finally:
            connection.close()

    @property
    def variables(self) -> dict[str, str]:
        """What leads every client through the proxy, and to the workspace."""
        proxy = read_proxy_url(f"http://127.0.0.1:{self._port}")
        workspace = {"DATABRICKS_HOST": f"https://{HOST}", "DATABRICKS_TOKEN": self.token}
        return variables(proxy, self._ca_file) | workspace

    def wait(self) -> None:
        """Until the proxy ends. Raises StageError if it does by itself."""
        status = self.process.wait()
        raise StageError(f"the proxy ended with status {status}")

    def read_audit(self) -> list[dict[str, Any]]:
        """The records of the audit log so far."""
        content = self.audit_file.read_bytes() if self.audit_file.exists() else b""
        return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Start workspace and proxy (``brickscope proxy``); stop both and remove the folder at the end."""
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="brickscope-demo-")))
        workspace = cleanup.enter_context(open_workspace(folder / "workspace", HOST))
        token = "dapi" + secrets.token_hex(16)
        port = _free_port()
        stage = Stage(folder, workspace, token, port)
        stage.policy_file.parent.mkdir()
        stage.policy_file.write_text(POLICY.format(fingerprint=hashlib.sha256(token.encode()).hexdigest()))
        output_file = folder / "output.txt"
        process = subprocess.Popen(
            _command(folder, workspace, port),
            stdin=subprocess.DEVNULL,
            stdout=cleanup.enter_context(output_file.open("wb")),
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            cwd=folder,
        )
        cleanup.callback(_stop, process)
        stage.process = process
        _wait_until_ready(process, port, output_file)
        try:
            yield stage
        except StageError as error:
            raise StageError(
                f"{error}\nThe proxy printed:\n{output_file.read_text(errors='replace')}"
            ) from error


def _command(folder: Path, workspace: FakeWorkspace, port: int) -> list[str]:
    command = [sys.executable, "-P", "-m", "brickscope", "proxy", "--listen-port", str(port)]
    for option in (
        f"confdir={folder / 'confdir'}",
        f"scope_rules={folder / 'rules'}",
        f"scope_audit_log={folder / 'audit.jsonl'}",
        f"scope_connect_to={HOST}=127.0.0.1:{workspace.port}",
        f"ssl_verify_upstream_trusted_ca={workspace.ca_file}",
    ):
        command += ["--set", option]
    return command


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, output_file: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise StageError(f"the proxy did not start; it printed:\n{output_file.read_text(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
