"""What is said beside a result, on standard error: notes and progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from brickscope.audit.reader import Progress


def say(text: str) -> None:
    """A line on standard error. The text has to be ``shown`` already."""
    click.echo(text, err=True)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """A progress bar on standard error while something long is done; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextlib.contextmanager
def progress_of(what: str, files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """A progress bar by bytes; gives whom to tell how many more of these files were read."""
    total, read = max(1, sum(path.stat().st_size for path in files)), 0
    with progress(what) as told:

        def count(size: int) -> None:
            nonlocal read
            read += size
            if told:
                told(min(1.0, read / total))  # of compressed files more is read than they have

        yield count
