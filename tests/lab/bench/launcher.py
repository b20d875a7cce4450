"""mitmdump with every connection to a server led to one port of this machine.

For the variants without Brickscope, which has an option of its own for that (``scope_connect_to``). Run as
``python -m lab.bench.launcher PORT [FLAGS OF MITMDUMP]``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from mitmproxy.tools.main import mitmdump


def lead_to(port: int) -> None:
    """From now on ``asyncio.open_connection``, which the engine dials with, goes to the port, whatever was asked."""
    dial = asyncio.open_connection

    async def open_connection(host: str, unused: int, **options: Any) -> Any:
        return await dial("127.0.0.1", port, **options)

    asyncio.open_connection = open_connection  # type: ignore[assignment]


if __name__ == "__main__":
    lead_to(int(sys.argv.pop(1)))
    mitmdump()
