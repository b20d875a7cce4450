"""What an operator sees of this process: the status server, and what its pages are made of."""

import asyncio
import platform
from collections.abc import Callable
from typing import Any

from mitmproxy import ctx, version

import brickscope
from brickscope.core.policy import Mode, Policy
from brickscope.log.writer import AuditWriter
from brickscope.service.monitoring.address import StatusAddress
from brickscope.service.monitoring.collector import Engine, pages_of
from brickscope.service.monitoring.readiness import Obstacle, Reason
from brickscope.service.monitoring.status import StatusServer
from brickscope.service.monitoring.tally import Tally

from .engine import Installation
from .gate import Gate
from .listener import Listener

MIN_FREE = 1024 * 1024
"""Bytes: with less on its disk the log counts as full. Some hundred records fit, which is a moment under load."""


PAUSE_S = 0.25
"""Between two looks at how late the event loop runs."""


class Monitor:
    """The process as ``monitoring.collector.Proxy`` wants it."""

    def __init__(
        self, gate: Gate, ours: list[Any], listener: Listener, listening: Callable[[], bool]
    ) -> None:
        """Make it last, when all addons are where they stay. ``ours``: those without which there is no gate."""
        self.gate = gate
        self._listener = listener
        self._listening = listening
        self.tally: Tally = gate.tally
        self.writer: AuditWriter = gate.writer
        self.versions = (brickscope.__version__, version.VERSION, platform.python_version())
        loop = asyncio.get_running_loop()
        fixed = [(listener, "front"), (loop, "getaddrinfo"), (gate, "judge")]
        self._installation = Installation(ctx.master.addons, ours, fixed)
        self._server = StatusServer(pages_of(self))
        self._task: asyncio.Task[None] | None = None

    async def start(self, address: StatusAddress) -> StatusAddress:
        """Serve the pages. Returns where. Raises OSError."""
        await self._server.start(address)
        self._task = asyncio.get_running_loop().create_task(self._watch_loop(), name="event loop lag")
        return self._server.address

    async def _watch_loop(self) -> None:
        """Measure how late the event loop runs: what a blocking call, a busy core or a stopped process costs everybody."""
        clock = asyncio.get_running_loop().time
        while True:
            asked = clock() + PAUSE_S
            await asyncio.sleep(PAUSE_S)
            self.tally.lagged(clock() - asked)

    def close(self) -> None:
        """Serve no more."""
        if self._task is not None:
            self._task.cancel()
        self._server.close()

    @property
    def policy(self) -> Policy:
        """The one in force."""
        return self.gate.policy

    def faults(self) -> list[str]:
        """What is wrong with the gate itself."""
        return self._installation.faults()

    def credentials(self) -> dict[str, str]:
        """Why credentials of placeholders can't be had, by name; empty for those that can."""
        return self.gate.credentials.errors

    def obstacles(self) -> list[Obstacle]:
        """Why no traffic should be led here."""
        found = [Obstacle(Reason.GATE_MISSING, fault) for fault in self.faults()[:1]]
        if self.gate.draining:
            found.append(Obstacle(Reason.DRAINING))
        elif not self._listening():
            found.append(Obstacle(Reason.NOT_LISTENING))
        if not self.policy.everybody and self.policy.mode is not Mode.MONITOR:
            # In monitor the log of an empty policy tells who is there: that is the first day, and calls go on.
            found.append(Obstacle(Reason.POLICY_EMPTY))
        writer, free = self.writer, self.writer.free_bytes
        if writer.is_failing:
            found.append(Obstacle(Reason.AUDIT_FAILING, writer.trouble))
        elif not writer.is_in_place:
            found.append(Obstacle(Reason.AUDIT_MOVED))
        if free is not None and free < MIN_FREE:
            found.append(Obstacle(Reason.DISK_FULL, f"{free} bytes are free"))
        return found

    def engine(self) -> Engine:
        """Connections, and the authority that clients trust."""
        clients = list(self._listener.open.values())
        store = ctx.master.addons.get("tlsconfig").certstore
        expires = None if store is None else store.default_ca.notafter.timestamp()
        return Engine(len(clients), sum(each.hosts for each in clients), expires)
