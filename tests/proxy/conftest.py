"""Fixtures for the tests of the proxy's parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from front_door import Begun, Called, Relayed
from made_gate import made
from mitmproxy import certs
from mitmproxy.addons.block import Block
from mitmproxy.addons.proxyauth import ProxyAuth
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.test import taddons
from tls_by_hand import Make, make_authority

from brickscope.log.writer import AuditWriter
from brickscope.proxy import front as front_module
from brickscope.proxy.contexts import Contexts
from brickscope.proxy.gate import Gate
from lab.workspace.authority import Authority


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[AuditWriter]:
    made = AuditWriter(tmp_path / "audit.jsonl", tmp_path / "keys")
    yield made
    made.close()


@pytest.fixture
def gate(writer: AuditWriter) -> Gate:
    return made(writer)


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stand-ins for what a new connection is handed to; gives mitmproxy's options."""
    Begun.made, Relayed.made, Called.made = [], [], []
    monkeypatch.setattr(front_module, "Tunnel", Begun)
    monkeypatch.setattr(front_module, "Relay", Relayed)
    monkeypatch.setattr(front_module, "PlainCall", Called)
    with taddons.context(Block(), ProxyAuth()) as context:
        yield context.options


@pytest.fixture(params=["rsa", "p256"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with an authority of mitmproxy's."""
    certs.CertStore.create_store(tmp_path, "mitmproxy", 2048)
    if request.param == "p256":
        key = ec.generate_private_key(ec.SECP256R1())
        make_authority(tmp_path, key)
    return tmp_path


@pytest.fixture
def make(store: Path) -> Iterator[Make]:
    """Contexts with these options."""
    config = TlsConfig()
    with taddons.context(Proxyserver(), config) as context:

        def with_options(**options: Any) -> Contexts:
            context.configure(config, confdir=str(store), upstream_cert=False, **options)
            return Contexts(config, context.options)

        yield with_options


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "hosts"
    folder.mkdir()
    return Authority(folder)
