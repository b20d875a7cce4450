"""Where a version of a policy comes from: a file, a folder, or a revision of git such as ``HEAD~1:rules``."""

import subprocess
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from brickscope.core.policy import Policy
from brickscope.policy.document import MAX_BYTES
from brickscope.policy.load import KEYS, compile_contents, is_policy_file, load_policy
from brickscope.policy.problem import PolicyError, Position, Problem
from brickscope.policy.written import Written

_TIMEOUT = 30
"""Seconds that git may take for one question."""


class Version(NamedTuple):
    """One version of a policy. ``name``: as it was asked for."""

    name: str
    policy: Policy
    written: Written


def load_version(name: str, now: float) -> Version:
    """The version at a path, or of git where no such path exists and the name is ``REVISION:PATH``.

    ``now``: seconds since the epoch. Raises PolicyError.
    """
    path = Path(name)
    if path.exists() or ":" not in name:
        loaded = load_policy(path, now)
        return Version(name, loaded.policy, loaded.written)
    files, keys = _from_git(name)
    policy, _, written = compile_contents(files, keys, now)
    return Version(name, policy, written)


def _from_git(name: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Policy files and key files of a revision, by the name that messages give them. The key files of a policy that is one
    file are those beside it."""
    kind = _git(name, "cat-file", "-t", name).strip()
    if kind not in (b"blob", b"tree"):
        raise _error(name, "this is neither a file nor a folder of that revision", "HEAD~1:rules")
    revision, _, path = name.partition(":")
    above = str(PurePosixPath(path).parent)
    found = _entries(name if kind == b"tree" else f"{revision}:{'' if above == '.' else above}")
    content = {
        entry: _git(name, "cat-file", "blob", what)
        for entry, what in found.items()
        if kind == b"tree" or not is_policy_file(entry)
    }
    keys = {entry: raw for entry, raw in content.items() if not is_policy_file(entry)}
    if kind == b"blob":
        return {name: _git(name, "cat-file", "blob", name)}, keys
    files = {f"{name.rstrip('/')}/{entry}": raw for entry, raw in content.items() if is_policy_file(entry)}
    if not files:
        raise _error(name, "there is no policy file (*.yaml) here")
    return files, keys


def _entries(tree: str) -> dict[str, str]:
    """The policy's files in a folder and their object names; a link is an error, since where it leads is not in the
    commit."""
    found: dict[str, str] = {}
    for line in filter(None, _git(tree, "ls-tree", "-z", tree).split(b"\0")):
        about, _, raw = line.partition(b"\t")
        mode, kind, what = about.decode("ascii").split()
        entry = raw.decode("utf-8", "replace")
        is_key = entry.endswith(KEYS) and not entry.startswith(".")
        if kind == "blob" and (is_policy_file(entry) or is_key):
            if mode == "120000":
                raise _error(
                    f"{tree}/{entry}", "this is a symbolic link, which can't be followed in a revision"
                )
            found[entry] = what
    return found


def _git(name: str, command: str, *arguments: str) -> bytes:
    """What git answers. Raises PolicyError."""
    if name.startswith("-"):  # git would take it for an option
        raise _error(name, "no revision begins with '-'")
    try:
        done = subprocess.run(
            ["git", command, *arguments], capture_output=True, check=False, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _error(name, f"git could not be asked: {type(error).__name__}") from None
    if done.returncode:
        why = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["git failed"])[0]
        raise _error(name, f"there is no such path or revision: {why}", "a file, a folder, or REVISION:PATH")
    return done.stdout[: MAX_BYTES + 1]  # of what is too large, reading it will say so


def _error(name: str, message: str, hint: str = "") -> PolicyError:
    return PolicyError([Problem(Position(name), "error", message, hint)])
