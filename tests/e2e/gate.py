"""One proxy and one fake workspace for a whole module of tests: starting them for each of hundreds of cases is slow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from e2e.proxy_process import SCRIPT, ProxyProcess
from e2e.raw_client import HUNG_UP, open_tls, read_h1, send_h1
from lab.workspace.route import Route
from lab.workspace.server import DNS_NAMES, FakeWorkspace

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
TOKEN = "dapi0123456789abcdef0123456789abcdef"
FORGED = "dapi" + "f00d" * 8
"""A token that no policy knows."""
CATALOGS, QUERIES, WAREHOUSES = (
    "/api/2.1/unity-catalog/catalogs",
    "/api/2.0/preview/sql/queries",
    "/api/2.0/sql/warehouses",
)
POLICY = f"""\
version: 1
tokens:
  ci:
    fingerprint: sha256:{sha256(TOKEN.encode()).hexdigest()}
    rule_set: reader
rule_sets:
  reader:
    allow:
      - GET {CATALOGS}
      - GET {QUERIES}
      - GET /api/2.0/preview/scim/v2/Me
      - GET /api/2.0/fs/files/{{path...}}
      - PUT /api/2.0/fs/files/{{path...}}
      - GET /sse
      - POST /serving-endpoints/{{name}}/invocations
      - POST /spark.connect.SparkConnectService/{{method}}
      - GET /status/{{code}}
      - POST /api/2.0/sql/statements
"""


class Gate(NamedTuple):
    """A running proxy and the workspace behind it."""

    proxy: ProxyProcess
    workspace: FakeWorkspace

    @property
    def ca(self) -> Path:
        return self.proxy.ca_file

    def clear(self) -> None:
        """Forget what the workspace saw, once what earlier tests began has come to its end."""
        deadline = time.monotonic() + 3
        for _ in range(
            2
        ):  # the second time for one that was being opened, for a client that had left already
            time.sleep(0.02)
            while any(each.open for each in self.workspace.connections) and time.monotonic() < deadline:
                time.sleep(0.005)
        self.workspace.clear()


@contextmanager
def running_gate(
    folder: Path,
    authority: Path,
    *arguments: str,
    policy: str = POLICY,
    alpn: tuple[str, ...] = ("h2", "http/1.1"),
    hosts: tuple[str, ...] = (),
    audit_file: Path | None = None,
    routes: Sequence[Route] = (),
    script: Path = SCRIPT,
) -> Iterator[Gate]:
    """Start both, with ``policy`` in ``folder/rules``. ``hosts``: patterns under policy besides the default one.
    ``audit_file``: the log, if it is not to be in the proxy's folder. ``routes``: what the workspace answers besides
    its own. ``script``: the addon."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(policy, encoding="utf-8")
    with FakeWorkspace.start(alpn=alpn, names=(*DNS_NAMES, *hosts), routes=routes) as workspace:
        options = [f"scope_hosts={host}" for host in ("*.cloud.databricks.com", *hosts)] if hosts else []
        options += [f"scope_connect_to={host}=127.0.0.1:{workspace.port}" for host in hosts]
        more = [part for option in options for part in ("--set", option)]
        proxy = ProxyProcess.start(
            folder / "proxy",
            rules,
            upstream_port=workspace.port,
            upstream_ca=workspace.ca_file,
            authority=authority,
            arguments=[*arguments, *more],
            audit_file=audit_file,
            script=script,
        )
        try:
            yield Gate(proxy, workspace)
        finally:
            proxy.stop()


def head(
    method: str = "GET",
    target: str = CATALOGS,
    *more: str,
    host: str | None = HOST,
    token: str | None = TOKEN,
    version: str = "HTTP/1.1",
) -> bytes:
    """An HTTP/1.1 head, field by field; ``more`` are whole header lines."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")


def call_status(
    gate: Gate, target: str = CATALOGS, token: str | None = TOKEN, *more: str, method: str = "GET"
) -> int:
    """The status of one call on a new connection; 0 where it was closed instead."""
    with contextlib.suppress(*HUNG_UP), open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca) as sock:
        send_h1(sock, head(method, target, *more, token=token))
        response = read_h1(sock, timeout=20)
        return response.status if response else 0
    return 0
