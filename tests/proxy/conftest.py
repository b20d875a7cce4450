"""Fixtures for the tests of the proxy's parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_gate import made

from brickscope.audit.writer import AuditWriter
from brickscope.proxy.gate import Gate


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[AuditWriter]:
    made = AuditWriter(tmp_path / "audit.jsonl", tmp_path / "keys")
    yield made
    made.close()


@pytest.fixture
def gate(writer: AuditWriter) -> Gate:
    return made(writer)
