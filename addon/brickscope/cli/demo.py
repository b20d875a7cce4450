"""``brickscope demo``: becomes the demonstration, which no other command needs."""

import os
import sys

import click

from .command import command


@command("demo")
@click.option(
    "--keep",
    is_flag=True,
    help="Keep workspace and proxy running, and print the variables for a second terminal.",
)
def demo_command(keep: bool) -> None:
    """See Brickscope work in half a minute: no account, no root, nothing on this machine is changed.

    A fake workspace, the real proxy, real calls: allowed, blocked, one rule more, allowed, the log.

    \b
    Exit status: 0 everything went as announced, 1 something did not.

    \b
    Examples:
      brickscope demo
      brickscope demo --keep     # for calls and edits of your own, until Ctrl-C
    """
    # -P: the working directory may hold a module of any name.
    command = [sys.executable, "-P", "-m", "brickscope.fake.demo", *(["--keep"] if keep else [])]
    os.execv(sys.executable, command)  # noqa: S606
