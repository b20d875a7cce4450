"""One wrapper round every hook: whatever raises becomes a refusal, never a request that goes on.

mitmproxy logs an exception in a hook and carries on with the flow (``addonmanager.safecall``), which for a gate means
that the uninspected request is sent.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("brickscope")

Hook = Callable[[Any, Any], None]


def fail_closed(otherwise: Callable[[Any, Any, Exception], None]) -> Callable[[Hook], Hook]:
    """Run a hook; on any Exception run ``otherwise(addon, argument, error)``, which must refuse.

    BaseException (SystemExit, CancelledError) passes: it ends the process or the task, and nothing is sent by either.
    """

    def decorate(hook: Hook) -> Hook:
        @functools.wraps(hook)
        def closed(self: Any, argument: Any) -> None:
            try:
                hook(self, argument)
            except Exception as error:
                # Only the type: the text of an exception may hold what the client sent.
                logger.error(
                    "Brickscope: %s in the hook %s; the connection was refused",
                    type(error).__name__,
                    hook.__name__,
                )
                otherwise(self, argument, error)

        return closed

    return decorate
