"""Reload: notice that policy files changed, wait until they are at rest, load them, hand over or report."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from .load import Loaded, Signature, load_policy, signature
from .problem import PolicyError, Position, Problem

_UNSET: object = object()
INTERVAL = 0.25
"""Seconds between two looks at the files."""
PATIENCE = 0.5
"""Seconds that an edit may go on, from the look that noticed it, before what is there by then is loaded. Whoever keeps
saving, or a pipeline that does, can't keep a revocation out of force."""


class PolicyWatcher:
    """Watches a policy folder by looking at it; file notification misses network and container mounts.

    ``on_load`` gets a good policy, ``on_error`` a bad one, once for each change, both on the event loop.
    ``taken`` is the signature of what is in force (``Loaded.signature``): an edit between that load and the first look
    is then noticed. Without it, what the first look finds counts as known.
    """

    def __init__(
        self,
        path: Path,
        on_load: Callable[[Loaded], None],
        on_error: Callable[[PolicyError], None],
        interval: float = INTERVAL,
        taken: Signature | None = None,
    ) -> None:
        self.path = path
        self.interval = interval
        self._on_load = on_load
        self._on_error = on_error
        self._poke = asyncio.Event()
        self._known = taken
        self._taken: Signature | str | object = _UNSET

    def poke(self) -> None:
        """Load again now, whether or not anything seems to have changed (for SIGHUP)."""
        self._taken = _UNSET
        self._poke.set()

    async def run(self) -> None:
        """Watch until cancelled. Nothing that goes wrong ends it."""
        self._taken = await asyncio.to_thread(self._look) if self._known is None else self._known
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poke.wait(), self.interval)
            self._poke.clear()
            try:
                await self._check()
            except Exception as error:
                with contextlib.suppress(Exception):  # whoever is told may fail; the watch may not
                    self._report(error)

    async def _check(self) -> None:
        seen = await asyncio.to_thread(self._look)
        if seen == self._taken:
            return
        # Several files saved one after the other are one edit: wait until nothing changes for one interval.
        for _ in range(max(1, round(PATIENCE / self.interval))):
            await asyncio.sleep(self.interval)
            again = await asyncio.to_thread(self._look)
            if again == seen:
                break
            seen = again
        self._taken = seen
        try:
            loaded = await asyncio.to_thread(load_policy, self.path, time.time())
        except PolicyError as error:
            self._on_error(error)
        else:
            self._taken = loaded.signature  # the files may have changed since the last look
            self._on_load(loaded)

    def _look(self) -> Signature | str:
        """What is there now; for a folder that can't be read, what is wrong with it."""
        try:
            return signature(self.path)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _report(self, error: Exception) -> None:
        message = f"{type(error).__name__} while the policy was loaded"
        self._on_error(PolicyError([Problem(Position(str(self.path)), "error", message)]))
