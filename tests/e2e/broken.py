"""A proxy with a part that is broken on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent

from e2e.gate import POLICY, Gate, running_gate
from e2e.proxy_process import SCRIPT


def copy_of_the_checkout(folder: Path, change: str) -> Path:
    """A folder addon/ of its own whose scope.py starts with ``change``, as an edit that goes wrong would leave it. The
    package beside it is the checkout's: a copy would be compiled for each."""
    (folder / "addon").mkdir(parents=True)
    (folder / "addon" / "brickscope").symlink_to(SCRIPT.parent / "brickscope")
    script = folder / "addon" / "scope.py"
    made = "    scope = Scope("
    script.write_text(SCRIPT.read_text().replace(made, f"{indent(change, '    ')}\n{made}"))
    return script


PRELUDE = """
import brickscope.proxy.admission as a
import brickscope.proxy.front as f
import brickscope.proxy.gate as g
import brickscope.proxy.tunnel as t
from brickscope.proxy.contexts import Contexts
from brickscope.proxy.fence import Fence
from brickscope.proxy.front import Front
from brickscope.proxy.relay import PlainCall, Relay
from brickscope.proxy.tls import End
from brickscope.proxy.tunnel import Tunnel
from brickscope.proxy.upstream import Upstream
import brickscope.proxy.wire.calls as calls
from brickscope.proxy.wire.calls import Calls
from brickscope.proxy.wire.frames import FrameReader
from brickscope.proxy.wire.http1 import Http1
from brickscope.proxy.wire.http2 import Http2
from brickscope.proxy.wire.peer import Peer
def broken(*arguments):
    raise RuntimeError("broken on purpose")
"""


@contextmanager
def broken_gate(
    folder: Path, authority: Path, change: str, *arguments: str, policy: str = POLICY
) -> Iterator[Gate]:
    """A running proxy whose ``scope.py`` begins with PRELUDE and ``change``, before a fake workspace. ``arguments``: for
    mitmdump."""
    script = copy_of_the_checkout(folder, PRELUDE + change)
    with running_gate(folder, authority, *arguments, policy=policy, script=script) as gate:
        yield gate
