"""One wrapper round every hook: whatever raises becomes a refusal, never a request that goes on.

mitmproxy logs an exception in a hook and carries on with the flow (``addonmanager.safecall``), which for a gate means
that the uninspected request is sent.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

logger = logging.getLogger("brickscope")

Hook = Callable[[Any, Any], Awaitable[None] | None]
Otherwise = Callable[[Any, Any, Exception], None]


def fail_closed(otherwise: Otherwise) -> Callable[[Hook], Hook]:
    """Run a hook; on any Exception run ``otherwise(addon, argument, error)``, which must refuse.

    A hook that has to wait returns something to be awaited, which is guarded in the same way; most never do, and pay
    nothing for it. BaseException (SystemExit, CancelledError) passes: it ends the process or the task, and nothing is
    sent by either.
    """

    def decorate(hook: Hook) -> Hook:
        @functools.wraps(hook)
        def closed(self: Any, argument: Any) -> Awaitable[None] | None:
            try:
                waiting = hook(self, argument)
            except Exception as error:
                _refuse(otherwise, hook, self, argument, error)
                return None
            return None if waiting is None else _guard(waiting, otherwise, hook, self, argument)

        return closed

    return decorate


async def _guard(
    waiting: Awaitable[None], otherwise: Otherwise, hook: Hook, addon: Any, argument: Any
) -> None:
    try:
        await waiting
    except Exception as error:
        _refuse(otherwise, hook, addon, argument, error)


def _refuse(otherwise: Otherwise, hook: Hook, addon: Any, argument: Any, error: Exception) -> None:
    # Only the type: the text of an exception may hold what the client sent.
    logger.error(
        "Brickscope: %s in the hook %s; the connection was refused",
        type(error).__name__,
        getattr(hook, "__name__", "?"),
        extra={"event": "hook_failed"},
    )
    otherwise(addon, argument, error)
