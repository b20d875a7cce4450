"""A proxy that runs in a box with the arguments of a deployment file, and calls through it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from deploy.box import BASE_PATH, USER, Box, Boxed, start
from e2e.gate import CATALOGS, HOST, POLICY, WAREHOUSES, head
from e2e.proxy_process import HOSTS, free_port
from e2e.raw_client import open_tls, read_h1, send_h1
from lab.workspace.server import FakeWorkspace

START_SECONDS = 60.0
IMAGE_PATH = f"/opt/brickscope/bin:{BASE_PATH}"


class BoxedProxy(NamedTuple):
    """``folder``: where its own files lie here. ``status_port``: of /readyz."""

    boxed: Boxed
    port: int
    status_port: int
    ca_file: Path
    output: Path
    log: Path

    def call(self, path: str = CATALOGS) -> int:
        """The status of a call through it."""
        with open_tls(f"127.0.0.1:{self.port}", HOST, ca=self.ca_file) as sock:
            send_h1(sock, head("GET", path))
            answer = read_h1(sock)
        assert answer is not None
        return answer.status

    def status(self, page: str = "/readyz") -> int | None:
        """The status of a page of scope_status; None while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.status_port, timeout=5)
        try:
            connection.request("GET", page)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def records(self, event: str) -> list[dict[str, Any]]:
        """The records of its log, of all workers, of one kind."""
        lines = [
            line
            for file in sorted(self.log.parent.glob("audit*.jsonl"))
            for line in file.read_text().splitlines()
        ]
        return [record for line in lines if (record := json.loads(line))["event"] == event]

    def works(self) -> None:
        """One call is allowed, one denied, and both are in the log."""
        assert (self.call(), self.call(WAREHOUSES)) == (200, 403), self.output.read_text()
        assert len(self.records("decision")) >= 2


@contextmanager
def boxed_proxy(
    image: Box,
    folder: Path,
    command: Sequence[str],
    workspace: FakeWorkspace,
    authority: Path,
    *,
    confdir: str,
    readable: Mapping[str, Path] | None = None,
    environment: Mapping[str, str] | None = None,
    rules: Path | None = None,
    writable: Sequence[str] = (),
    ca_file: Path | None = None,
) -> Iterator[BoxedProxy]:
    """Run ``command`` in a box of its own, as a user without rights, until it is ready.

    ``confdir``: where in the box the authority's files are shown, read-only. ``rules``: here, instead of the usual policy.
    ``ca_file``: what clients trust, if it is not there. ``writable``: folders that the user may write besides those of log
    and state. Addresses and ports in the command become free ones of loopback; what the fake workspace needs is added.
    Nothing else.
    """
    box = Box(folder / "box")
    written = ["/var/lib/brickscope", "/var/log/brickscope", *writable]
    for path in written:
        os.chown(box.held(path), USER, USER)
        box.held(path).chmod(0o700)
    if (box.folder / Path(confdir).parts[1]).exists():
        box.held(confdir)  # a place to show it at
    shown = folder / "shown"
    shutil.copytree(authority, shown / "ca")
    shutil.copy(workspace.ca_file, shown / "workspace.pem")
    for file in [shown, *shown.rglob("*")]:
        file.chmod(0o755 if file.is_dir() else 0o644)
    if rules is None:
        rules = shown / "rules"
        rules.mkdir()
        (rules / "policy.yaml").write_text(POLICY)
    port, status_port = free_port(), free_port()
    ports = {"0.0.0.0": "127.0.0.1", "8080": str(port), "9464": str(status_port)}
    words = list(command)
    for old, new in ports.items():
        words = [word.replace(old, new) if old in word else word for word in words]
    words += ["--set", f"scope_connect_to={HOSTS}=127.0.0.1:{workspace.port}"]
    words += ["--set", "ssl_verify_upstream_trusted_ca=/workspace.pem"]
    output, log = folder / "output.txt", box.folder / "var" / "log" / "brickscope" / "audit.jsonl"
    wrapped = box.command(
        words,
        writable=written,
        readable={
            "/opt": image.folder / "opt",
            confdir: shown / "ca",
            "/etc/brickscope/rules": rules,
            "/workspace.pem": shown / "workspace.pem",
            **(readable or {}),
        },
        environment={"PATH": IMAGE_PATH, **(environment or {})},
        user=USER,
        more=["--chdir", "/var/lib/brickscope"],
    )
    boxed = start(wrapped, output)
    proxy = BoxedProxy(
        boxed, port, status_port, ca_file or shown / "ca" / "mitmproxy-ca-cert.pem", output, log
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while proxy.status() != 200:
            assert boxed.process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        yield proxy
    finally:
        boxed.stop()


def environment_of(value: str, path: str) -> dict[str, Any]:
    """An ENV instruction's variables, with ``$PATH`` filled in."""
    pairs = [word.partition("=") for word in value.split()]
    return {name: text.replace("$PATH", path) for name, _, text in pairs}
