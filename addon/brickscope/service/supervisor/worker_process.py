"""One worker process as the supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence

from .channel import CONNECTION, DRAINING, ENDED, READY, TAKEN, VARIABLE

_CHUNK = 4096


class WorkerProcess:
    """A worker. ``number``: its place, which names its log. ``ready``: it takes connections. ``draining``: it will end.

    ``settled``: done when it is ready (True) or has ended before (False). ``lived``: seconds since it was ready.
    """

    def __init__(self, number: int, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self.number = number
        self.process = process
        self.ready = False
        self.draining = False
        self.settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._channel = channel
        self._taken = 0
        self._given: deque[socket.socket] = deque()
        self._ready_at = 0.0
        self._on_change: Callable[[], None] = lambda: None

    @classmethod
    async def start(cls, number: int, command: Sequence[str], on_change: Callable[[], None]) -> WorkerProcess:
        """Start one. ``on_change``: called when it may take connections that it could not take before, or no more."""
        ours, theirs = socket.socketpair()
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        }
        environment[VARIABLE] = f"{theirs.fileno()}:{number}"
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C in the terminal is for the supervisor, which tells its workers
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        worker = cls(number, process, ours)
        worker._on_change = on_change
        asyncio.get_running_loop().add_reader(ours, worker._receive)
        return worker

    @property
    def load(self) -> int:
        """Connections that it has or was given."""
        return self._taken + len(self._given)

    @property
    def lived(self) -> float:
        """Seconds since it was ready, 0 if it never was."""
        return time.monotonic() - self._ready_at if self._ready_at else 0.0

    @property
    def serves(self) -> bool:
        """Whether it may be given connections."""
        return self.ready and not self.draining

    def give(self, connection: socket.socket) -> bool:
        """Hand over a connection; False: it can't take one now. Ours is kept until it says that it took it."""
        try:
            socket.send_fds(self._channel, [CONNECTION], [connection.fileno()])
        except OSError:
            return False
        self._given.append(connection)
        return True

    def drain(self, *, at_once: bool = False) -> None:
        """Let it finish what it has, and end; or end ``at_once``."""
        self.draining = True
        self.signal(signal.SIGINT if at_once else signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        if self.process.returncode is None:
            self.process.send_signal(number)

    async def ended(self) -> list[socket.socket]:
        """Wait until it has ended. Returns the connections that it never took: nothing was read from them."""
        await self.process.wait()
        self._receive()  # what it still said
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        self.ready = False
        if not self.settled.done():
            self.settled.set_result(False)
        left = list(self._given)
        self._given.clear()
        return left

    def _receive(self) -> None:
        while True:
            try:
                said = self._channel.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                said = b""
            if not said:
                asyncio.get_running_loop().remove_reader(self._channel)
                return
            for byte in (said[index : index + 1] for index in range(len(said))):
                self._hear(byte)

    def _hear(self, byte: bytes) -> None:
        if byte == TAKEN:
            self._taken += 1
            if self._given:
                self._given.popleft().close()
            return
        if byte == ENDED:
            self._taken -= 1
            return
        if byte == READY:
            self.ready, self._ready_at = True, time.monotonic()
            if not self.settled.done():
                self.settled.set_result(True)
        elif byte == DRAINING:
            self.draining = True
        self._on_change()
