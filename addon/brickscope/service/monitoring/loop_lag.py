"""How late the event loop runs: what a blocking call, a busy core or a stopped process costs everybody."""

import asyncio
from collections.abc import Callable

PAUSE_S = 0.25


async def watch_loop(report: Callable[[float], None]) -> None:
    """Ask again and again to be woken after PAUSE_S, and report how much later it was, in seconds. Ends when cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        asked = clock() + PAUSE_S
        await asyncio.sleep(PAUSE_S)
        report(clock() - asked)
