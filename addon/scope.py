"""Brickscope for mitmproxy: ``mitmdump -s addon/scope.py``. All logic is in the package beside this file."""

import asyncio
from pathlib import Path

from brickscope.prerequisites import Guard

with Guard():
    from brickscope.proxy.addon import Scope

    scope = Scope(Path(__file__))
    asyncio.get_running_loop().call_soon(scope.check_loaded)
    addons = [scope]
