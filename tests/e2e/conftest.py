"""Fixtures for tests with a real mitmdump."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from e2e.doctor_host import Host
from e2e.gate import Gate, running_gate
from e2e.proxy_process import REPOSITORY, ProxyProcess, free_port, make_authority
from e2e.scrape import Status
from lab.workspace.server import FakeWorkspace

StartProxy = Callable[..., ProxyProcess]


@pytest.fixture(autouse=True)
def counted_branches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the branches of the programs that a test starts, where they are counted of the test itself."""
    if Coverage.current() is not None and request.node.get_closest_marker("no_cover") is None:
        monkeypatch.setenv("COVERAGE_PROCESS_START", str(REPOSITORY / "pyproject.toml"))
        monkeypatch.setenv("COVERAGE_FILE", str(REPOSITORY / ".coverage"))


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


@pytest.fixture(scope="module")
def doctor_gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    """The proxy that brickscope doctor is to find."""
    with running_gate(tmp_path_factory.mktemp("doctor"), proxy_authority) as gate:
        yield gate


@pytest.fixture
def host(doctor_gate: Gate, tmp_path: Path) -> Host:
    """A user's host before it."""
    home = tmp_path / "a user's home"
    home.mkdir()
    return Host(doctor_gate, home, Path(shutil.copy(doctor_gate.ca, home / "proxy ca.pem")))


@pytest.fixture
def status() -> Status:
    """A status server's place, for a proxy that is yet to start."""
    return Status(free_port())
