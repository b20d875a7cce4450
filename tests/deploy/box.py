"""A container without Docker: a root of its own made by bubblewrap, into which the Dockerfile's own steps are run.

The base image is played by this machine's /usr with the Python that runs the tests in /usr/local, where python:3.12-slim
has it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[2]
BASE_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
USER = 65532
ETC = (
    "passwd",
    "group",
    "hosts",
    "nsswitch.conf",
    "resolv.conf",
    "ld.so.cache",
    "ssl",
    "ca-certificates",
    "xdg",
    "pip.conf",
)
"""What the box has of this machine's /etc."""
BUILD_SECONDS = 900
BUILT = ("/opt", "/src", "/tmp", "/var/lib", "/var/log")
"""Folders that steps of the Dockerfile write to."""


def need(*programs: str, root: bool = False) -> None:
    """Skip the test where a program is missing or, if it needs to be root, the user is not; under CI fail it."""
    missing = [name for name in programs if shutil.which(name) is None]
    if root and os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")


class Step(NamedTuple):
    """One instruction of a Dockerfile. ``words``: its JSON array, or its words."""

    name: str
    words: list[str]
    value: str


def read_dockerfile() -> list[list[Step]]:
    """The stages of the Dockerfile, each begun by its FROM."""
    stages: list[list[Step]] = []
    for each in DockerfileParser(path=str(ROOT / "Dockerfile")).structure:
        name, value = each["instruction"], each["value"]
        if name == "COMMENT":
            continue
        if name == "FROM":
            stages.append([])
        words = json.loads(value) if value.startswith("[") else value.split()
        stages[-1].append(Step(name, words, value))
    return stages


def one(steps: Sequence[Step], name: str) -> Step:
    (found,) = [step for step in steps if step.name == name]
    return found


class Box:
    """A root filesystem: this machine's /usr and /etc, and the folders of the image in ``folder``, by their own paths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def held(self, path: str) -> Path:
        """Where a folder of the box lies here; made if need be."""
        here = self.folder / path.strip("/")
        here.mkdir(parents=True, exist_ok=True)
        return here

    def command(
        self,
        words: Sequence[str],
        *,
        writable: Sequence[str] = (),
        readable: Mapping[str, Path] | None = None,
        environment: Mapping[str, str] | None = None,
        user: int = 0,
        more: Sequence[str] = (),
    ) -> list[str]:
        """What runs ``words`` in the box. The root is read-only but for the folders ``writable``; ``readable`` shows other
        files or folders of this machine in it. ``user``: its number; one that is not 0 has no capability and can't get any.
        """
        command = ["bwrap", "--tmpfs", "/", "--ro-bind", "/usr", "/usr"]
        command += ["--dir", "/etc"]
        for name in ETC:
            command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        for link in ("bin", "sbin", "lib", "lib64"):
            if Path("/", link).is_symlink():
                command += ["--symlink", f"usr/{link}", f"/{link}"]
            elif Path("/", link).exists():
                command += ["--ro-bind", f"/{link}", f"/{link}"]
        if sys.base_prefix != "/usr":
            command += ["--ro-bind", sys.base_prefix, "/usr/local"]
        command += ["--dev", "/dev", "--proc", "/proc"]
        for path in sorted(p.name for p in self.folder.iterdir()):
            command += ["--ro-bind", str(self.folder / path), f"/{path}"]
        for path in writable:
            command += ["--bind", str(self.held(path)), path]
        for path, here in (readable or {}).items():
            for parent in reversed(Path(path).parents[:-1]):
                command += ["--dir", str(parent)]  # what bubblewrap makes by itself is for root only
            command += ["--ro-bind", str(here), path]
        command += ["--remount-ro", "/", "--clearenv"]
        # A shared libpython, as pyenv builds it, has its path of this machine built in.
        given = {"PATH": BASE_PATH, "LD_LIBRARY_PATH": "/usr/local/lib", **(environment or {})}
        for name, value in given.items():
            command += ["--setenv", name, value]
        command += [*more, "--"]
        if user:
            command += ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
            command += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]
        return [*command, *words]

    def run(self, words: Sequence[str], **how: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(words, **how), capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )


def build(folder: Path) -> Box:
    """Run the Dockerfile: every RUN and COPY in its order, the final stage's result in ``folder/final``."""
    made: dict[str, Box] = {}
    for stage in read_dockerfile():
        words = stage[0].words
        name = words[2] if "AS" in words else "final"
        box = made[name] = Box(folder / name)
        for path in BUILT:
            box.held(path)
        for step in stage[1:]:
            if step.name == "COPY":
                _copy(step.words, box, made)
            elif step.name == "RUN":
                _run(step.words, box)
    return made["final"]


def _copy(words: Sequence[str], box: Box, made: Mapping[str, Box]) -> None:
    source = ROOT
    if words[0].startswith("--from="):
        source = made[words[0].partition("=")[2]].folder
        words = words[1:]
    *files, target = words
    for file in files:
        here = source / file.strip("/")
        there = box.folder / target.strip("/")
        if here.is_dir():
            # What .dockerignore keeps out.
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info") if source == ROOT else None
            shutil.copytree(here, there, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            there.mkdir(parents=True, exist_ok=True)
            shutil.copy2(here, there)


def _run(words: Sequence[str], box: Box) -> None:
    registry = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    registry |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    done = box.run(
        words,
        writable=BUILT,
        readable=_resolver(),
        environment={"HOME": "/tmp", **registry},
    )
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def _resolver() -> dict[str, Path]:
    """/etc/resolv.conf may be a link to a place that the box does not have."""
    file = Path("/etc/resolv.conf").resolve()
    return {str(file): file} if file.is_file() and not str(file).startswith("/etc/") else {}


class BuildFailed(Exception):
    """A step of the Dockerfile failed; the message holds what it printed."""


class Boxed(NamedTuple):
    """A process in a box. ``pid``: here, of the process that is number 1 there."""

    process: subprocess.Popen[bytes]
    pid: int

    def stop(self, seconds: float = 10.0) -> int:
        """End it as `docker stop` would: SIGTERM to process 1, and SIGKILL later. Returns the exit status."""
        if self.process.poll() is None:
            os.kill(self.pid, 15)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, 9)
        return self.process.wait(seconds)


def start(command: Sequence[str], output: Path) -> Boxed:
    """Start what ``Box.command`` gave, as process 1 of its own process namespace."""
    reader, writer = os.pipe()
    at = command.index("--")
    with output.open("wb") as file:
        process = subprocess.Popen(
            [
                *command[:at],
                "--unshare-pid",
                "--as-pid-1",
                "--die-with-parent",
                "--info-fd",
                str(writer),
                *command[at:],
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=[writer],
        )
    os.close(writer)
    with os.fdopen(reader) as info:
        told = info.read()
    deadline = time.monotonic() + 5
    while not told and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if not told:
        raise BuildFailed(f"bubblewrap did not start:\n{output.read_text(errors='replace')}")
    return Boxed(process, json.loads(told)["child-pid"])
