"""Secrets from where an operator keeps them: a file, a variable of the environment, or what a command prints.

What goes wrong is said without a byte of what was read. A command gets no shell, no input, and a bounded time; what it
writes to standard error is dropped, since vaults' own tools may say there what they were given.
"""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Collection
from pathlib import Path

from brickscope.core.credential import MAX_TOKEN, MIN_TOKEN
from brickscope.core.entrusted import Source
from brickscope.core.placeholder import PREFIX

COMMAND_S = 10.0
"""Most that a command may take."""
_SECRET = re.compile(rb"[\x21-\x7e]{%d,%d}" % (MIN_TOKEN, MAX_TOKEN))


class SourceError(Exception):
    """The secret can't be had; the message says why, in one clause, for the operator, and quotes nothing."""


def is_secret(value: bytes) -> bool:
    """Whether it can stand in a header, and be told from other text in an answer."""
    # A placeholder in the place of a placeholder: somebody has mixed them up.
    return _SECRET.fullmatch(value) is not None and not value.startswith(PREFIX)


async def read_source(source: Source, hidden: Collection[str] = ()) -> bytes:
    """The secret. ``hidden``: variables of the environment that a command does not get. Raises SourceError."""
    if source.file is not None:
        raw = await asyncio.to_thread(_read_file, source.file)
    elif source.environment is not None:
        raw = os.environb.get(source.environment.encode(), b"")
    else:
        raw = await _run(source.command, hidden)
    value = raw.strip(b"\r\n")
    if not value:
        raise SourceError("it is empty")
    if not is_secret(value):
        raise SourceError(
            f"it is not one line of {MIN_TOKEN} to {MAX_TOKEN} printable characters without blanks"
        )
    return value


def _read_file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(MAX_TOKEN + 3)
    except OSError as error:
        raise SourceError(f"its file can't be read ({error.strerror})") from None


async def _run(command: tuple[str, ...], hidden: Collection[str]) -> bytes:
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True
        )
    except OSError as error:
        raise SourceError(f"its command can't be run ({error.strerror})") from None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(COMMAND_S):
            raw = bytearray()
            while len(raw) <= MAX_TOKEN + 2 and (more := await process.stdout.read(MAX_TOKEN)):
                raw += more
            if len(raw) > MAX_TOKEN + 2:
                raise SourceError("its command printed too much")
            status = await process.wait()
    except TimeoutError:
        raise SourceError(f"its command took more than {COMMAND_S:.0f} s") from None
    finally:
        # Also what it has started itself, which may live on.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            await asyncio.shield(process.wait())
    if status:
        raise SourceError(f"its command ended with status {status}")
    return bytes(raw)
