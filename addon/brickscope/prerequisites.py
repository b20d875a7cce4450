"""What has to be there before anything of Brickscope can run, and the words for a Python that lacks it.

``mitmdump`` may be of an old Python, or of one with nothing but mitmproxy. So this file imports only the standard
library and is written so that each Python that mitmproxy ever ran on can read it.
"""

import os
import re
import shlex
import sys
import traceback
from importlib import metadata, util
from pathlib import Path
from types import TracebackType
from typing import List, NoReturn, Optional, Type  # noqa: UP035 - for such a Python

OLDEST_PYTHON = (3, 12)
CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder of the checkout, if this file is in one."""


class Guard:
    """Around all that a script for mitmdump does while it is loaded: ends the process if anything of it fails.

    mitmproxy would log the failure and end later, once a port of its own had been open for a moment. Where there is no
    gate, nothing may listen.
    """

    def __enter__(self) -> None:
        if sys.version_info < OLDEST_PYTHON:
            running = ".".join(map(str, sys.version_info[:3]))
            way = (
                f"run {_script('proxy')}, which looks for one"
                if is_checkout()
                else "install it for such a one"
            )
            _end(f"this mitmdump runs on Python {running}, where 3.12 or newer is needed; {way}")

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],  # noqa: UP006, UP045
        error: Optional[BaseException],  # noqa: UP045
        trace: Optional[TracebackType],  # noqa: UP045
    ) -> None:
        if isinstance(error, ImportError):
            _end(explain(error))
        if error is not None:
            traceback.print_exception(kind, error, trace)
            _end("its script failed, as told above")


def explain(error: ImportError) -> str:
    """What was missing when an import failed, and what to run."""
    ways = []
    if is_checkout():
        ways.append(f"run {_script('proxy')}, which makes an environment of its own")
    command = install_command()
    if command:
        ways.append(f"install what it needs: {command}")
    return f"{error}; {', or '.join(ways) or 'install it from its checkout or its wheel'}"


def install_command(extra: str = "") -> str:
    """The command that installs what this Python lacks, for a shell; empty if there is none. ``extra``: one of
    pyproject.toml's, such as ``audit``.

    It names the checkout, or the packages that are missing, and never this project: on a public index that name may be
    somebody else's.
    """
    wanted = _missing(extra)
    if is_checkout():
        if Path(sys.prefix).resolve() == CHECKOUT / ".venv":
            return " ".join(map(shlex.quote, filter(None, [str(_script("environment")), extra])))
        wanted = [f"{CHECKOUT}[{extra}]" if extra else str(CHECKOUT)]
    if not wanted or getattr(sys, "frozen", False):  # mitmproxy's own program for download can't have more
        return ""
    pip = [sys.executable, "-m", "pip", "install"]
    if util.find_spec("pip") is None:  # uv makes environments without it
        pip = ["uv", "pip", "install", "--python", sys.executable]
    return " ".join(map(shlex.quote, pip + wanted))


def is_checkout() -> bool:
    """Whether this runs from a checkout, with ``scripts/`` beside ``addon/``."""
    return _script("proxy").is_file()


def _script(name: str) -> Path:
    return CHECKOUT / "scripts" / name


def _missing(extra: str) -> List[str]:  # noqa: UP006
    """What the installed package asks for and is not there; all of it if nothing is missing by name."""
    try:
        texts = metadata.requires("brickscope") or []
    except metadata.PackageNotFoundError:
        return []
    wanted = []
    for text in texts:
        requirement, _, marker = text.partition(";")
        if "extra" not in marker or (extra and re.search(f"extra == .{extra}\\b", marker)):
            wanted.append(requirement.strip())
    return [each for each in wanted if not _is_installed(re.split(r"[^\w.-]", each)[0])] or wanted


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _end(message: str) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(f"Brickscope can't start: {message}\n")
    sys.stderr.flush()
    os._exit(1)
