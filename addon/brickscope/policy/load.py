"""Reading a policy from disk: one snapshot of all files, compiled as one."""

from collections.abc import Mapping
from os.path import realpath
from pathlib import Path, PurePath
from typing import NamedTuple

from brickscope.core.policy import Policy

from .compiler import Compiler
from .document import MAX_BYTES, read_document
from .problem import PolicyError, Position, Problem
from .written import Written

TRIES = 5
KEYS = ".jwks.json"
_ENDINGS = (".yaml", ".yml")
Signature = tuple[tuple[str, int, int, int, int], ...]


class NoPolicyError(PolicyError):
    """There is no policy: the folder (or file) does not exist, or no policy file is in it."""

    def __init__(self, path: Path, what: str) -> None:
        hint = "write policy.yaml there, or give the folder that has the policy"
        super().__init__([Problem(Position(str(path)), "error", what, hint)])


class Loaded(NamedTuple):
    """A policy, what to know about it, the files it came from, their signature when read, and the rules as written."""

    policy: Policy
    warnings: list[Problem]
    files: list[Path]
    signature: Signature
    written: Written


def policy_files(path: Path) -> list[Path]:
    """The files of a policy: all ``*.yaml`` and ``*.yml`` of a folder but hidden and ``*.test.*`` ones, or one file.

    Raises NoPolicyError where there is no such folder or file, PolicyError where it can't be read, or a name could be meant
    for a policy file's.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise NoPolicyError(path, "there is no such policy folder")
    try:
        return _at_home(
            path, sorted(file for file in path.iterdir() if is_policy_file(str(file)) and not file.is_dir())
        )
    except OSError as error:
        raise PolicyError(
            [Problem(Position(str(path)), "error", f"can't be read: {error.strerror}")]
        ) from None


def _at_home(folder: Path, files: list[Path]) -> list[Path]:
    """The same files. Raises PolicyError for a link that leads out of the folder: messages quote what they are about, and
    whoever edits rules could have any file of the proxy's host quoted, a mounted secret among them."""
    for file in files:
        # A link to nothing is a file that can't be read.
        if file.exists() and not file.is_file():
            raise PolicyError(
                [Problem(Position(str(file)), "error", "it is no file", "give it another name")]
            )
        if file.is_symlink() and not Path(realpath(file)).is_relative_to(realpath(folder)):
            hint = "copy the file, or give the folder that it is in"
            said = "it is a link that leads out of the policy's folder"
            raise PolicyError([Problem(Position(str(file)), "error", said, hint)])
    return files


def is_policy_file(name: str) -> bool:
    """Whether a file of this name, or path, belongs to the policy of its folder. Raises PolicyError where only case or
    blanks tell its ending from a policy file's: nothing is left out that somebody takes for a part of the policy."""
    path = PurePath(name)
    ending = path.suffix.strip().lower()
    if ending not in _ENDINGS or path.name.startswith("."):
        return False
    if ending != path.suffix:
        said = "a policy file's name ends in .yaml or .yml, in small letters"
        raise PolicyError([Problem(Position(name, 1, 1), "error", said, f"rename it to {path.stem}{ending}")])
    return not path.stem.endswith(".test")


def key_files(path: Path) -> list[Path]:
    """The key files of a policy: all ``*.jwks.json`` of its folder but hidden ones. Raises OSError and PolicyError."""
    folder = path if path.is_dir() else path.parent
    return _at_home(
        folder,
        sorted(
            file
            for file in folder.iterdir()
            if file.name.endswith(KEYS) and not file.name.startswith(".") and file.is_file()
        ),
    )


def signature(path: Path) -> Signature:
    """What changes when any file of a policy does. Raises PolicyError and OSError."""
    found = []
    for file in [*policy_files(path), *key_files(path)]:
        status = file.stat()
        # Programs that copy files set the first time; nobody sets the second.
        times = (status.st_mtime_ns, status.st_ctime_ns)
        found.append((str(file), *times, status.st_size, status.st_ino))
    return tuple(found)


def load_policy(path: Path, now: float) -> Loaded:
    """Load the policy in a folder (or file). ``now``: seconds since the epoch, for what has expired.

    Raises NoPolicyError, and PolicyError with every error of all files.
    """
    taken, contents = _snapshot(path)
    read = {Path(name): content for (name, *_), content in zip(taken, contents, strict=True)}
    files = [file for file in read if not file.name.endswith(KEYS)]
    if not files:
        raise NoPolicyError(path, "there is no policy file (*.yaml) here")
    keys = {file.name: raw for file, raw in read.items() if file.name.endswith(KEYS)}
    policy, warnings, written = compile_contents({str(file): read[file] for file in files}, keys, now)
    return Loaded(policy, warnings, files, taken, written)


def compile_contents(
    files: Mapping[str, bytes], keys: Mapping[str, bytes], now: float
) -> tuple[Policy, list[Problem], Written]:
    """The policy of these files, its warnings, and how it is written. ``keys``: key files by name.

    Raises PolicyError with every error of all files.
    """
    compiler = Compiler(now, keys)
    for name, raw in files.items():
        compiler.add(*read_document(name, raw))
    policy, warnings = compiler.finish()
    return policy, warnings, compiler.written


def _snapshot(path: Path) -> tuple[Signature, list[bytes]]:
    """All files as they stood at one moment: read again if any of them changed meanwhile."""
    failed = Problem(Position(str(path)), "error", "the files keep changing while they are read")
    for _ in range(TRIES):
        try:
            before = signature(path)
            contents = [_read(Path(name)) for name, *_ in before]
            if signature(path) == before:
                return before, contents
        except OSError as error:
            place = Position(str(error.filename or path))
            failed = Problem(place, "error", f"can't be read: {error.strerror}")
            if not isinstance(error, FileNotFoundError):
                break
    raise PolicyError([failed])


def _read(file: Path) -> bytes:
    """A file, but no more of one that is too large than it takes to see that."""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)
