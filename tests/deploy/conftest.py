"""Fixtures of the deployment's tests."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from deploy.box import Box, BuildFailed, build, need
from e2e.proxy_process import make_authority


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """What the Dockerfile makes; once for all processes of a run of the tests, since it installs the package anew."""
    need("bwrap", "setpriv", root=True)
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "image"
    with Path(f"{shared}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (shared / "built").exists():
            return Box(shared / "final")
        try:
            box = build(shared)
        except BuildFailed as error:
            if os.environ.get("CI") != "true" and "connection" in str(error).lower():
                pytest.skip("no package registry can be reached")
            raise
        (shared / "built").touch()
    return box


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority of all machines, as the documentation has it made."""
    return make_authority(tmp_path_factory.mktemp("authority"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that wants the image waits for its build, which installs everything anew."""
    for item in items:
        if {"image", "site"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(900))
