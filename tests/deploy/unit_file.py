"""The unit of systemd, and what its sandbox is made of, so that a test can put the same on a process without systemd."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

NAMESPACES = 0x7E020080
"""CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWNS and NEWTIME of linux/sched.h."""
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}


class Unit(NamedTuple):
    """The settings, in their order."""

    settings: list[tuple[str, str, str]]

    def all(self, name: str) -> list[str]:
        return [value for _, key, value in self.settings if key == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def command(self, name: str, specifiers: dict[str, str]) -> list[str]:
        """A command line of the unit, with ``specifiers`` such as ``%d`` filled in."""
        words = shlex.split(self.one(name))
        for specifier, value in specifiers.items():
            words = [word.replace(specifier, value) for word in words]
        return words


def read_unit(file: Path) -> Unit:
    """Read a unit file. Raises ValueError for a line that is none."""
    settings, section = [], ""
    for line in file.read_text().replace("\\\n", " ").splitlines():
        text = line.strip()
        if not text or text.startswith(("#", ";")):
            continue
        if text.startswith("["):
            section = text.strip("[]")
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{file}: {line}")
        settings.append((section, name.strip(), value.strip()))
    return Unit(settings)


def system_calls(group: str) -> set[str]:
    """The calls of a group such as ``@system-service``, by the installed systemd."""
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", group], capture_output=True, text=True, check=True
    )
    found: set[str] = set()
    for line in done.stdout.splitlines():
        word = line.strip()
        if not word or word.startswith("#") or word == group:
            continue
        found |= system_calls(word) if word.startswith("@") else {word}
    return found


def allowed_calls(unit: Unit) -> set[str]:
    """What ``SystemCallFilter`` leaves: a list, less the lists that begin with ``~``."""
    allowed: set[str] = set()
    for value in unit.all("SystemCallFilter"):
        names = value.removeprefix("~").split()
        listed = {call for name in names for call in (system_calls(name) if name[0] == "@" else {name})}
        allowed = allowed - listed if value.startswith("~") else allowed | listed
    return allowed


def confinement(unit: Unit) -> dict[str, object]:
    """What ``confine.py`` takes."""
    return {
        "calls": sorted(allowed_calls(unit)),
        "families": [FAMILIES[name] for name in unit.one("RestrictAddressFamilies").split()],
        "namespaces": NAMESPACES if unit.one("RestrictNamespaces") == "yes" else 0,
        "no_exec_gain": unit.one("MemoryDenyWriteExecute") == "yes",
        "open_files": int(unit.one("LimitNOFILE")),
        "core": int(unit.one("LimitCORE")),
        "umask": int(unit.one("UMask"), 8),
    }
