"""Where the real clients are installed, and at which versions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from importlib.metadata import Distribution

import pytest

from e2e.proxy_process import REPOSITORY

HOME = REPOSITORY / ".clients"
PYTHON = HOME / "python" / "bin" / "python"
AGENTS = HOME / "agents" / "bin" / "python"
PIPELINES = HOME / "pipelines" / "bin" / "python"
DBT = HOME / "dbt" / "bin" / "dbt"
MODULES = HOME / "node" / "node_modules"
WANTED = REPOSITORY / "tests" / "clients"

PROGRAMS = {
    "curl": (["curl", "--version"], r"curl (\S+)", "curl"),
    "node": (["node", "--version"], r"v(\S+)", "nodejs and npm"),
    "java": (["javac", "-version"], r"javac (\S+)", "default-jdk-headless"),
    "go": (["go", "version"], r"go version go(\S+)", "golang-go"),
}


def pinned() -> dict[str, str]:
    """The version that each installed client is held at, by package name."""
    files = ("requirements.txt", "dbt.txt", "agents.txt", "pipelines.txt")
    lines = "".join((WANTED / file).read_text() for file in files)
    found = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==([\w.]+)", lines, re.M))
    return found | json.loads((WANTED / "package.json").read_text())["dependencies"]


def installed(package: str) -> str | None:
    """The version of a package that is really there, None if it is not."""
    if (manifest := MODULES / package / "package.json").exists():
        version: str = json.loads(manifest.read_text())["version"]
        return version
    for environment in ("python", "dbt", "agents", "pipelines"):
        places = [str(place) for place in (HOME / environment / "lib").glob("python3*/site-packages")]
        for found in Distribution.discover(name=package, path=places):
            return found.version
    return None


@cache
def program_version(name: str) -> str | None:
    """The version of a program of the system, None if it is not there."""
    command, pattern, _ = PROGRAMS[name]
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(pattern, done.stdout + done.stderr)
    assert found is not None, done.stdout
    return found[1]


def need_program(name: str) -> None:
    """Skip a test whose program is missing; fail where CI has to have it."""
    if program_version(name) is None:
        _missing(f"{name} is not installed (Debian: {PROGRAMS[name][2]})")


def need_clients() -> None:
    """The same for the environments of scripts/clients."""
    done = subprocess.run(
        [str(REPOSITORY / "scripts" / "clients"), "--check"], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        _missing(done.stderr.strip())


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
