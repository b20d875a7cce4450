"""Fixtures for tests with the real clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clients.installed import need_clients
from clients.stage import Stage, open_stage
from e2e.proxy_process import make_authority


@pytest.fixture(scope="session")
def client_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One stage for all tests of a process: starting it takes seconds."""
    need_clients()
    authority = make_authority(tmp_path_factory.mktemp("clients-authority"))
    with open_stage(tmp_path_factory.mktemp("clients"), authority) as stage:
        yield stage


@pytest.fixture
def stage(client_stage: Stage) -> Stage:
    """The same, with nothing recorded by the workspace yet."""
    client_stage.workspace.clear()
    return client_stage
