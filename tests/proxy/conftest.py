"""Fixtures for the tests of the proxy's parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from front_door import Begun, Called, Relayed
from made_gate import made
from mitmproxy.addons.block import Block
from mitmproxy.addons.proxyauth import ProxyAuth
from mitmproxy.test import taddons

from brickscope.log.writer import AuditWriter
from brickscope.proxy import front as front_module
from brickscope.proxy.gate import Gate


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
