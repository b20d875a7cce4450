"""Fixtures for tests with a real mitmdump."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brickscope.fake.workspace import FakeWorkspace
from e2e.proxy_process import ProxyProcess, make_authority

StartProxy = Callable[..., ProxyProcess]


@pytest.fixture(scope="session")
def proxy_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the authority of all proxies of this session."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """An empty folder for policy files."""
    folder = tmp_path / "rules"
    folder.mkdir()
    return folder


@pytest.fixture
def start_proxy(
    tmp_path: Path, rules: Path, workspace: FakeWorkspace, proxy_authority: Path
) -> Iterator[StartProxy]:
    """Start a proxy with the folder ``rules`` before the fake workspace; arguments as ``ProxyProcess.start``'s.

    Write the policy first. All proxies of a test are stopped at its end.
    """
    started: list[ProxyProcess] = []

    def start(**changes: Any) -> ProxyProcess:
        arguments: dict[str, Any] = {
            "folder": tmp_path / f"proxy-{len(started)}",
            "rules": rules,
            "upstream_port": workspace.port,
            "upstream_ca": workspace.ca_file,
            "authority": proxy_authority,
        }
        proxy = ProxyProcess.start(**(arguments | changes))
        started.append(proxy)
        return proxy

    yield start
    for proxy in started:
        proxy.stop()
