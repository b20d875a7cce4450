"""Options that several commands have, each said once: the policy, the moment, the keys, JSON."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from brickscope.policy.load import Loaded

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# By os.path: a user that is only a number has no home, and pathlib would raise before any command could run.
CONFDIR = Path(os.path.expanduser("~/.mitmproxy"))  # noqa: PTH111
"""Where the proxy keeps its CA and the keys of its log, unless ``confdir`` or ``scope_audit_keys`` says otherwise."""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)

COUNT = click.IntRange(0, 1_000_000_000)
"""How many of something; none below it, and no more than any log has."""


class Shaped(click.ParamType[str]):
    """Text of a shape; ``said``: what is said of any other, which is not repeated, since it may be a secret."""

    def __init__(self, name: str, shape: str, said: str) -> None:
        self.name = name
        self.shape = re.compile(shape)
        self.said = said

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it is. Raises click.BadParameter."""
        if not self.shape.fullmatch(value):
            self.fail(self.said, param, ctx)
        return value


# As in the policy's model, which would cost a command 0.1 s to import.
NAME = Shaped(
    "name",
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    "a name has letters, digits, '.', '_' and '-', at most 64",
)
"""The name of something in a policy."""


def load_rules(rules: Path, now: float | None = None) -> Loaded:
    """Load a policy as the proxy does, at ``now`` (seconds since the epoch; by default this moment). Raises PolicyError."""
    from brickscope.policy.load import load_policy

    return load_policy(rules, time.time() if now is None else now)


def rules_option(text: str = "The policy: a folder or a file.", *, optional: bool = False) -> Decorator:
    """Adds ``--rules``, which the command gets as ``rules``: a path, or None if it is ``optional`` and was not given."""
    return click.option(
        "--rules",
        type=click.Path(exists=True, path_type=Path),
        default=None if optional else "rules",
        show_default=not optional,
        help=text,
    )


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    from brickscope.policy.value import moment

    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise click.UsageError(f"--time: {error}") from None


def time_option(text: str) -> Decorator:
    """Adds ``--time``, which the command gets as ``at``: seconds since the epoch, None if it was not given."""
    return click.option("--time", "at", callback=_moment, metavar="TIME", help=text)


def soon_option(text: str) -> Decorator:
    """Adds ``--soon``, a number of days."""
    kind = click.IntRange(0, 3650)
    return click.option("--soon", type=kind, default=30, show_default=True, metavar="DAYS", help=text)


def top_option(what: str, default: int) -> Decorator:
    """Adds ``--top``: how many of something are shown."""
    text = f"How many {what} to show; 0 for all."
    return click.option("--top", type=COUNT, default=default, show_default=True, metavar="N", help=text)


def confdir_option(name: str, text: str) -> Decorator:
    """Adds an option for the folder where the proxy keeps its CA and keys."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option(name, type=kind, default=CONFDIR, show_default=True, help=text)


public_key_option = click.option(
    "--public-key",
    type=FILE,
    help="The proxy's key in PEM form, as `brickscope audit key` printed it. Without it, the key that the log names.",
)
