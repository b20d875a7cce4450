"""``brickscope demo``: becomes the demonstration, which no other command needs."""

from __future__ import annotations

import os
import sys

from .command import command


@command("demo")
def demo_command() -> None:
    """Show Brickscope at work in under half a minute: no account, no root, nothing on this machine is changed.

    A fake workspace, the real proxy, real calls: allowed, blocked, one rule more, allowed, the log.

    \b
    Exit status: 0 all went as told, 1 something did not.

    \b
    Examples:
      brickscope demo
    """
    # -P: the working directory may hold a module of any name.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "brickscope.fake.demo"])  # noqa: S606
