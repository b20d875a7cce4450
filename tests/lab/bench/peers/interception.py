"""proxy.py with TLS interception and a plugin of equal rules (``plugin.py``): the other proxy written in Python."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.workspace.authority import write_private

from ..processes import Proxy, free_port, start_proxy
from ..variants import Stage
from .peer import LOG, Peer, find_program
from .rules import grants

DISTRIBUTION = "proxy.py"


def _version() -> str:
    return f"proxy.py {version(DISTRIBUTION)}"


def _missing() -> str:
    try:
        version(DISTRIBUTION)
    except PackageNotFoundError:
        return "proxy.py is not installed; run scripts/environment test"
    if find_program("openssl") is None:
        return "openssl, with which proxy.py makes certificates, is not installed (Debian: apt-get install openssl)"
    return ""


@contextmanager
def _start(stage: Stage) -> Iterator[Proxy]:
    port = free_port()
    folder = stage.folder / "interception"
    if not folder.exists():
        _prepare(stage, folder)
    command = [
        *(sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", str(port)),
        *("--num-acceptors", "1", "--num-workers", "1", "--log-level", "ERROR", "--timeout", "300"),
        *("--plugins", "lab.bench.peers.plugin.Policy"),
        *("--ca-key-file", str(folder / "ca-key.pem")),
        *("--ca-cert-file", str(stage.client_ca)),
        *("--ca-signing-key-file", str(folder / "key.pem")),
        *("--ca-cert-dir", str(folder / "certificates")),
        *("--ca-file", str(stage.upstream_ca)),
    ]
    settings = {"BENCH_POLICY": str(folder / "policy.json"), "HOME": str(folder)}
    with start_proxy(command, port, folder, settings) as proxy:
        yield proxy


def _prepare(stage: Stage, folder: Path) -> None:
    """Write the keys and the policy, once for all starts."""
    (folder / "certificates").mkdir(parents=True)
    pem = (stage.confdir / "mitmproxy-ca.pem").read_bytes()
    plain = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    authority = serialization.load_pem_private_key(pem, None)
    write_private(folder / "ca-key.pem", authority.private_bytes(*plain))
    write_private(folder / "key.pem", rsa.generate_private_key(65537, 2048).private_bytes(*plain))
    settings = {
        "tokens": {
            grant.token: [f"^{method} {path[1:]}" for method, path in grant.rules] for grant in grants(stage)
        },
        "upstream_port": stage.upstream_port,
        "log": str(folder / LOG),
    }
    (folder / "policy.json").write_text(json.dumps(settings))


INTERCEPTION = Peer(
    "proxy.py",
    "proxy.py with TLS interception and a plugin of regular expressions; one acceptor, one worker",
    _start,
    _missing,
    _version,
)
