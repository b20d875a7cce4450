"""One guard round every callback of the event loop: whatever raises ends the connection, and is told by its type alone.

asyncio logs an exception with its text and a traceback, and leaves the connection as it is. The text may hold what a client
sent, its token among it; and a connection whose state is not known must carry nothing more.
"""

import functools
from collections.abc import Callable
from typing import Protocol

from brickscope import notice


class Guarded(Protocol):
    """What has guarded callbacks."""

    def fail_closed(self) -> None:
        """End everything at once; the state is not known. May raise."""


def guarded[Self: Guarded, *Arguments](
    callback: Callable[[Self, *Arguments], None],
) -> Callable[[Self, *Arguments], None]:
    """A callback that never raises an Exception: where it would, ``fail_closed`` is called instead.

    BaseException (SystemExit, CancelledError) passes: it ends the process or the task, and nothing is sent by either.
    """

    def guard(self: Self, /, *arguments: *Arguments) -> None:
        try:
            callback(self, *arguments)
        except Exception as error:
            end(self, error, getattr(callback, "__name__", "a callback"))

    functools.update_wrapper(guard, callback)
    return guard


def end(owner: Guarded, error: Exception, where: str) -> None:
    """What is done about an exception: said, and everything closed."""
    notice.error("hook_failed", f"{type(error).__name__} in {where}; the connection was closed")
    try:
        owner.fail_closed()
    except Exception as another:
        notice.error("hook_failed", f"{type(another).__name__} while a connection was closed")
