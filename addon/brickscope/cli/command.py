"""What all commands have in common: they are imported when they are called, an operator's mistake is one sentence, and a
reader of the output that leaves early ends the command quietly."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from brickscope.analysis.table import shown
from brickscope.error import OperatorError

PIPE_CLOSED = 141
"""The exit status where the reader has gone, such as ``head``: that of a program that SIGPIPE ended (128 + 13), as a shell
tells it. Not 0: a check whose output was cut off has not passed."""


class Command(click.Command):
    """A command that says what an operator can set right, wherever it was raised, as an error of usage (exit status 2)."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it. Raises click.UsageError for an OperatorError, and for a file that can't be read or written."""
        try:
            return super().invoke(ctx)
        except OperatorError as error:
            raise click.UsageError(shown(error, lines=True, most=100_000), ctx) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads the output has gone
                raise
            raise click.UsageError(f"{shown(error.filename or 'a file')}: {error.strerror}", ctx) from None


@contextmanager
def _leaving() -> Iterator[None]:
    """End with PIPE_CLOSED, and not by click's status 1, where nobody reads what is printed."""
    try:
        yield
    except BrokenPipeError:
        # What is still in the buffer would be written, and fail, at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)


def command(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """As ``click.command``, for a Command."""
    return click.command(name, cls=Command, **attributes)


class Group(click.Group):
    """Commands under headings. Each is ``NAME_command`` in a file of the group's package that has its name, and is
    imported when it is called: what one needs costs the others nothing."""

    command_class = Command

    def __init__(
        self,
        *given: Any,
        package: str = "",
        headings: Mapping[str, Mapping[str, str]] | None = None,
        **attributes: Any,
    ) -> None:
        """``package``: where the commands are. ``headings``: under each the names of commands, with what they do. Without
        these it is a group of commands that are added to it."""
        super().__init__(*given, **attributes)
        self.package = package
        self.headings = headings or {}

    def main(self, *arguments: Any, **extra: Any) -> Any:
        """Run the command that the arguments name. Exits with PIPE_CLOSED if nobody reads what it prints any more."""
        # A name of a file that is no text, or a sign that the terminal's encoding lacks, is spelled out.
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().main(*arguments, **extra)
        finally:
            with _leaving():
                sys.stdout.flush()

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """Parse the arguments. Help is printed here."""
        with _leaving():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _leaving():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, heading by heading."""
        return [name for names in self.headings.values() for name in names] or super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None for one that is not there."""
        if cmd_name not in self.commands and any(cmd_name in names for names in self.headings.values()):
            name = cmd_name.replace("-", "_")
            self.commands[cmd_name] = getattr(import_module(f"{self.package}.{name}"), f"{name}_command")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A list for each heading."""
        width = max(map(len, self.list_commands(ctx)), default=0)
        for heading, names in self.headings.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in names.items()])
        if not self.headings:
            super().format_commands(ctx, formatter)
