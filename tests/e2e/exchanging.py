"""A proxy with an operator's file, and a workspace that knows its tokens."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from brickscope.core.fingerprint import fingerprint
from brickscope.core.placeholder import make_placeholder
from e2e.gate import CATALOGS, HOST, TOKEN, WAREHOUSES, Gate, running_gate
from lab.workspace.exchange import Exchange
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET
from lab.workspace.route import Route

REAL = "dapi" + "ca1ab1e5" * 4
"""What clients never hold."""
NEXT = "dapi" + "5e1ec7ed" * 4
"""What it is replaced by."""
NAMES = ("ci", "variable", "command", "minted", "elsewhere", "nowhere", "broken")
PLACEHOLDERS = {name: make_placeholder(name.encode().ljust(32, b"-")) for name in NAMES}
CREDENTIALS = {"ci": "file"} | {name: name for name in NAMES[1:]}


Further = Mapping[str, tuple[str, Mapping[str, Any]]]
"""Credentials besides: by their names, the placeholder and the operator's entry, to which the workspace is added."""


def policy(further: Further | None = None, **more: Any) -> str:
    """Every placeholder is a subject of its own."""
    held = PLACEHOLDERS | {name: placeholder for name, (placeholder, _) in (further or {}).items()}
    tokens = {
        name: {
            "placeholder": fingerprint(placeholder.encode()),
            "credential": CREDENTIALS.get(name, name),
            "rule_set": "reader",
        }
        for name, placeholder in held.items()
    }
    tokens["plain"] = {"fingerprint": fingerprint(TOKEN.encode()), "rule_set": "reader"}
    allow = [
        f"GET {CATALOGS}",
        "GET /api/2.0/preview/sql/queries",
        "GET /api/2.0/preview/scim/v2/Me",
        "GET /api/2.0/fs/files/{path...}",
        "PUT /api/2.0/fs/files/{path...}",
        "GET /reflect/{how}",
        "GET /status/{code}",
        "POST /spark.connect.SparkConnectService/{method}",
        {"operation": "jobs.run_now", "where": {"job_id": 7}},
    ]
    return json.dumps({"version": 1, "tokens": tokens, "rule_sets": {"reader": {"allow": allow}}} | more)


def credentials(folder: Path) -> dict[str, Any]:
    """The operator's file; ``folder`` has the secrets."""
    (folder / "token").write_text(f"{REAL}\n")
    (folder / "secret").write_text(CLIENT_SECRET)
    (folder / "vault.py").write_text(f"print(open({str(folder / 'token')!r}).read())")
    here = {"workspaces": [HOST]}
    token = str(folder / "token")
    return {
        "version": 1,
        "credentials": {
            "file": {"file": token} | here,
            "variable": {"environment": "BRICKSCOPE_TEST_TOKEN"} | here,
            "command": {"command": [sys.executable, str(folder / "vault.py")]} | here,
            "minted": {
                "kind": "databricks_service_principal",
                "client_id": CLIENT_ID,
                "file": str(folder / "secret"),
            }
            | here,
            "elsewhere": {"file": token, "workspaces": ["dbc-ffffffff-ffff.cloud.databricks.com"]},
            "broken": {"command": [sys.executable, "-c", "import sys; sys.exit(3)"]} | here,
        },
    }


class Exchanging(NamedTuple):
    """``folder``: with the secrets, and the operator's file."""

    gate: Gate
    folder: Path

    def sent(self) -> list[bytes]:
        """The values of Authorization that reached the workspace's API."""
        return [
            value
            for request in self.gate.workspace.requests
            if not request.path.startswith((b"/oidc/", b"/.well-known/"))
            for value in request.values(b"authorization")
        ]

    def write(self, file: str, content: str) -> None:
        """Replace a file at once."""
        new = self.folder / f"{file}.new"
        new.write_text(content)
        new.replace(self.folder / file)


def write_secrets(folder: Path, further: Further | None = None) -> Path:
    """Make a folder with the secrets and the operator's file. Returns that."""
    folder.mkdir(parents=True, exist_ok=True)
    content = credentials(folder)
    for name, (_, entry) in (further or {}).items():
        content["credentials"][name] = {**entry, "workspaces": [HOST]}
    file = folder / "credentials.yaml"
    file.write_text(json.dumps(content))
    return file


@contextmanager
def exchanging(
    folder: Path,
    authority: Path,
    *arguments: str,
    further: Further | None = None,
    mode: str = "enforce",
    **more: Any,
) -> Iterator[Exchanging]:
    """Start it all; arguments as ``running_gate``'s."""
    file = write_secrets(folder / "secrets", further)
    options = ("--set", f"scope_credentials={file}", *arguments)
    settings = {"policy": policy(further, mode=mode), "routes": ROUTES} | more
    with running_gate(folder, authority, *options, **settings) as gate:
        gate.workspace.issuer.bearers = {REAL, NEXT, TOKEN}
        yield Exchanging(gate, file.parent)


async def _reflect(exchange: Exchange) -> None:
    """``/reflect/HOW``: the credential that came, where HOW says."""
    how = exchange.path.rpartition(b"/")[2].decode()
    secret = (exchange.header(b"authorization") or b"").removeprefix(b"Bearer ")
    await exchange.receive_all()
    text = b'{"said": "%b"}' % secret
    plain = [(b"content-type", b"application/json")]
    if how == "header":
        await exchange.answer(200, b"text/plain", b"ok", [(b"x-said", b"Bearer " + secret)])
    elif how == "gzip":
        await exchange.answer(200, b"text/plain", gzip.compress(text), [(b"content-encoding", b"gzip")])
    elif how == "late":
        await exchange.answer(200, b"text/plain", b"x" * (1024 * 1024) + text)
    elif how == "pieces":
        await exchange.respond(200, plain)
        for at in range(0, len(text), 7):
            await exchange.send(text[at : at + 7])
        await exchange.finish()
    elif how == "part":
        await exchange.respond(200, plain)
        await exchange.send(b'{"half": "' + secret[:20])
        await exchange.send(b'and no more"}')
        await exchange.finish()
    else:
        await exchange.answer(200, b"application/json", text)


ROUTES = (Route((b"GET",), b"/reflect/*", _reflect),)
ALLOWED, DENIED = CATALOGS, WAREHOUSES
