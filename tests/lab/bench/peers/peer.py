"""A peer: one proxy that is measured, how it is started, and what has to be there first."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from ..processes import Proxy
from ..variants import Stage, Variant

LOG = "peer.jsonl"
"""Each peer writes one line of JSON for each request into a file, as a proxy under audit would."""


class Peer(NamedTuple):
    """One proxy. ``about``: how it is set up, in a few words.

    ``start``: runs it on a stage. ``missing``: what is not installed, with the command that installs it; empty if
    nothing. ``version``: asks the installed program. ``reverse``: it is reached like the host itself, without a tunnel.
    ``names_port``: the client names the upstream's own port in tunnel and Host header, since this peer can't be told to
    dial another one than is named. ``denied_status``: 200 if it denies nothing.
    """

    name: str
    about: str
    start: Callable[[Stage], AbstractContextManager[Proxy]]
    missing: Callable[[], str]
    version: Callable[[], str]
    reverse: bool = False
    names_port: bool = False
    denied_status: int = 403


def find_program(name: str) -> str | None:
    """The path of a program, also where the PATH of a plain user does not lead."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def needs_program(name: str, package: str) -> Callable[[], str]:
    """A ``missing`` for a program of a Debian package."""

    def missing() -> str:
        if find_program(name) is None:
            return f"{name} is not installed (Debian: apt-get install {package})"
        return ""

    return missing


def version_of(name: str, *arguments: str) -> Callable[[], str]:
    """A ``version`` that is the first line a program prints, errors included (nginx)."""

    def version() -> str:
        command = [find_program(name) or name, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        return lines[0].strip() if lines else "unknown"

    return version


def of_variant(variant: Variant, about: str, version: Callable[[], str]) -> Peer:
    """The peer of a variant of the end-to-end bench."""
    return Peer(
        variant.name,
        about,
        lambda stage: stage.run(variant),
        lambda: "",
        version,
        denied_status=variant.denied_status,
    )
