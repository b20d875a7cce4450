"""A worker's side: takes connections from the supervisor, and tells it how it does (``supervisor/channel.py``)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from brickscope import notice
from brickscope.service.supervisor.channel import CONNECTION, DRAINING, ENDED, READY, TAKEN, VARIABLE

from .listener import Listener


class Worker:
    """This process as one of several. ``number``: its own among those that run, from 1."""

    def __init__(self, channel: socket.socket, number: int) -> None:
        self.number = number
        self._channel = channel
        self._channel.setblocking(False)
        self._unsent = bytearray()
        self._held: list[Callable[[], None]] = []
        """Connections that are served once the supervisor has been told that they are taken."""

    @classmethod
    def of_environment(cls) -> Worker | None:
        """The worker that the supervisor started; None for a process on its own. Raises ValueError."""
        value = os.environ.pop(VARIABLE, None)
        if value is None:
            return None
        descriptor, _, number = value.partition(":")
        try:
            channel = socket.socket(fileno=int(descriptor))
            if channel.family != socket.AF_UNIX:
                raise ValueError(value)
            os.set_inheritable(channel.fileno(), False)
            return cls(channel, int(number))
        except (OSError, ValueError):
            raise ValueError(f"the variable {VARIABLE} is set by the supervisor only; unset it") from None

    def serve(self, listener: Listener, on_orphaned: Callable[[], None]) -> None:
        """Take connections from now on. ``on_orphaned``: called when the supervisor is gone."""
        loop = asyncio.get_running_loop()

        def receive() -> None:
            while True:
                try:
                    # One byte at a time: a connection's descriptor comes with its byte.
                    data, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
                except (BlockingIOError, InterruptedError):
                    return
                except OSError:
                    data, descriptors = b"", []
                if not data:
                    loop.remove_reader(self._channel)
                    on_orphaned()
                    return
                if data == CONNECTION:
                    self._take(listener, descriptors)

        loop.add_reader(self._channel, receive)
        self._say(READY)

    def leave(self) -> None:
        """Take no more: what was sent and not taken goes to another worker."""
        asyncio.get_running_loop().remove_reader(self._channel)

    def say_draining(self) -> None:
        """Let the supervisor send no more."""
        self._say(DRAINING)

    def _take(self, listener: Listener, descriptors: list[int]) -> None:
        self._say(TAKEN)
        if not descriptors:  # the kernel had none left for this process, and closed it
            notice.error("connection_lost", "out of file descriptors; a connection was lost. Raise nofile")
            self._say(ENDED)
            return
        connection = socket.socket(fileno=descriptors[0])
        connection.setblocking(False)

        def serve() -> None:
            listener.take(connection, lambda: self._say(ENDED))

        if self._unsent:
            # If this process were killed now, the connection would go to another worker. What had been read from it would be
            # missing there, and behind a balancer the client's own bytes could stand where its PROXY header is looked for.
            self._held.append(serve)
        else:
            serve()

    def _say(self, byte: bytes) -> None:
        """Send a byte to the supervisor; later, if it does not read just now."""
        self._unsent += byte
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                del self._unsent[: self._channel.send(self._unsent)]
        except BlockingIOError:
            loop.add_writer(self._channel, self._say, b"")
            return
        except OSError:
            self._unsent.clear()  # the supervisor is gone, and can give nothing to another worker
        loop.remove_writer(self._channel)
        held, self._held = self._held, []
        for serve in held:
            serve()
