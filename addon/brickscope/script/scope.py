"""Brickscope for mitmproxy, as `brickscope proxy` hands it to mitmdump; the same as `addon/scope.py` of a checkout."""

import asyncio
from pathlib import Path

from brickscope.prerequisites import Guard

with Guard():
    from brickscope.proxy.addon import Scope

    scope = Scope(Path(__file__))
    asyncio.get_running_loop().call_soon(scope.check_loaded)
    addons = [scope]
