"""Reading a policy from disk: one snapshot of all files, compiled as one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from brickscope.core.policy import Policy

from .compiler import Compiler
from .document import read_document
from .problem import PolicyError, Position, Problem

TRIES = 5
Signature = tuple[tuple[str, int, int, int], ...]


class Loaded(NamedTuple):
    """A policy, what to know about it, and the files it came from."""

    policy: Policy
    warnings: list[Problem]
    files: list[Path]


def policy_files(path: Path) -> list[Path]:
    """The files of a policy: all ``*.yaml`` and ``*.yml`` of a folder but hidden and ``*.test.*`` ones, or one file.

    Raises PolicyError where there is no such folder or file.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise PolicyError(
            [Problem(Position(str(path)), "error", "there is no such policy folder", "set scope_rules")]
        )
    try:
        return sorted(
            file
            for file in path.iterdir()
            if file.suffix in (".yaml", ".yml")
            and not file.name.startswith(".")
            and not file.stem.endswith(".test")
            and file.is_file()
        )
    except OSError as error:
        raise PolicyError(
            [Problem(Position(str(path)), "error", f"can't be read: {error.strerror}")]
        ) from None


def signature(path: Path) -> Signature:
    """What changes when any file of a policy does. Raises PolicyError and OSError."""
    found = []
    for file in policy_files(path):
        status = file.stat()
        found.append((str(file), status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def load_policy(path: Path, now: float) -> Loaded:
    """Load the policy in a folder (or file). ``now``: seconds since the epoch, for what has expired.

    Raises PolicyError with every error of all files.
    """
    files, contents = _snapshot(path)
    if not files:
        hint = "copy one of the examples, or set scope_rules"
        raise PolicyError(
            [Problem(Position(str(path)), "error", "there is no policy file (*.yaml) here", hint)]
        )
    compiler = Compiler(now)
    for file, raw in zip(files, contents, strict=True):
        document, problems = read_document(str(file), raw)
        compiler.problems += problems
        if document.data is not None:
            compiler.add(document)
    policy, warnings = compiler.finish()
    return Loaded(policy, warnings, files)


def _snapshot(path: Path) -> tuple[list[Path], list[bytes]]:
    """All files as they stood at one moment: read again if any of them changed meanwhile."""
    for _ in range(TRIES):
        try:
            before = signature(path)
            files = [Path(name) for name, *_ in before]
            contents = [file.read_bytes() for file in files]
            if signature(path) == before:
                return files, contents
        except OSError as error:
            failed = Problem(
                Position(str(error.filename or path)), "error", f"can't be read: {error.strerror}"
            )
            if not isinstance(error, FileNotFoundError):
                raise PolicyError([failed]) from None
    raise PolicyError([Problem(Position(str(path)), "error", "the files keep changing while they are read")])
