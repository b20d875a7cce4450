"""HAProxy as a reverse proxy with the policy as ACL files: the other estimate of the physical limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..processes import Proxy, free_port, start_proxy
from ..variants import Stage
from ..workload import HOST
from .peer import Peer, find_program, needs_program, version_of
from .rules import REFUSAL, grants

_TEMPLATE = """
global
    nbthread 1
    maxconn 4096
    log stdout format raw local0 info
defaults
    mode http
    timeout connect 10s
    timeout client 300s
    timeout server 300s
    http-reuse always
frontend workspace
    bind 127.0.0.1:{port} ssl crt {pem}
    log global
    log-format '{{"time":"%t","client":"%ci","method":"%HM","path":"%HU","status":%ST,"decision":"%[var(txn.ok)]"}}'
    acl bearer req.hdr(authorization) -m beg "Bearer "
    http-request set-var(txn.token) req.hdr(authorization),field(2," "),map_str({tokens}) if bearer
    http-request set-var(txn.target) pathq
    http-request set-var(txn.call) method,concat(" ",txn.target)
{rules}
    http-request return status 403 content-type application/json file {refusal} unless {{ var(txn.ok) -m bool }}
    default_backend upstream
backend upstream
    server upstream 127.0.0.1:{upstream} ssl verify required ca-file {ca} verifyhost {host} sni str({host}) alpn http/1.1
"""


def configure(stage: Stage, port: int) -> Path:
    """Write the configuration and what it names; returns its file."""
    folder = stage.folder / "haproxy"
    folder.mkdir(exist_ok=True)
    tokens, pem, refusal = folder / "tokens.map", folder / "leaf.pem", folder / "refusal.json"
    pem.touch(mode=0o600)
    pem.write_bytes(stage.leaf.certificate_file.read_bytes() + stage.leaf.key_file.read_bytes())
    refusal.write_bytes(REFUSAL)
    policy = grants(stage)
    # A map's key ends at its first space, so that it can't hold "Bearer".
    tokens.write_text("".join(f"{grant.token} token{number}\n" for number, grant in enumerate(policy)))
    lines = []
    for number, grant in enumerate(policy):
        file = folder / f"token{number}.rules"
        file.write_text("".join(f"^{method} {path[1:]}\n" for method, path in grant.rules))
        lines.append(
            f"    http-request set-var(txn.ok) bool(true) if {{ var(txn.token) -m str token{number} }}"
            f" {{ var(txn.call) -m reg -f {file} }}"
        )
    text = _TEMPLATE.format(
        port=port,
        pem=pem,
        tokens=tokens,
        rules="\n".join(lines),
        refusal=refusal,
        upstream=stage.upstream_port,
        ca=stage.upstream_ca,
        host=HOST,
    )
    file = folder / "haproxy.cfg"
    file.write_text(text)
    return file


def command(file: Path, *flags: str) -> list[str]:
    """How HAProxy is called with a configuration; with ``-c`` it only checks it."""
    return [find_program("haproxy") or "haproxy", "-db", "-f", str(file), *flags]


@contextmanager
def _start(stage: Stage) -> Iterator[Proxy]:
    port = free_port()
    with start_proxy(command(configure(stage, port)), port, stage.folder, {}) as proxy:
        yield proxy


HAPROXY = Peer(
    "haproxy",
    "HAProxy as a reverse proxy: ACL files by token, static wildcard certificate, one thread (physical limit)",
    _start,
    needs_program("haproxy", "haproxy"),
    version_of("haproxy", "-v"),
    reverse=True,
)
