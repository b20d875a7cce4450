"""A worker's side of the channel: nothing is read from a connection before the supervisor knows that it is taken."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from brickscope.proxy.worker import Worker
from brickscope.service.supervisor.channel import CONNECTION, ENDED, READY, TAKEN


class Taken:
    """A listener that only notes what it is to serve."""

    def __init__(self) -> None:
        self.served: list[tuple[socket.socket, Callable[[], None]]] = []

    def take(self, connection: socket.socket, ended: Callable[[], None]) -> None:
        self.served.append((connection, ended))


def fill(channel: socket.socket) -> int:
    """Leave no room for another byte; how many it took."""
    filled = 0
    for size in (65_536, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += channel.send(b"." * size)
    return filled


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def with_worker(full: bool, look: Callable[[Worker, socket.socket, Taken, int], Any]) -> None:
    """``look``: a coroutine that is given a worker, the supervisor's end, the listener, and the bytes that fill it."""

    async def run() -> None:
        supervisor, theirs = socket.socketpair()
        listener, client = Taken(), socket.socketpair()
        try:
            worker = Worker(theirs, 1)
            worker.serve(listener, lambda: None)  # type: ignore[arg-type]
            assert supervisor.recv(1) == READY
            filled = fill(theirs) if full else 0
            socket.send_fds(supervisor, [CONNECTION], [client[0].fileno()])
            await turn()
            await look(worker, supervisor, listener, filled)
            worker.leave()
        finally:
            for each in (supervisor, theirs, *client, *(served for served, _ in listener.served)):
                each.close()

    asyncio.run(run())


def test_a_connection_is_taken_and_then_served() -> None:
    async def look(worker: Worker, supervisor: socket.socket, listener: Taken, filled: int) -> None:
        assert supervisor.recv(10) == TAKEN
        ((_, ended),) = listener.served
        ended()
        assert supervisor.recv(10) == ENDED

    with_worker(False, look)


def test_a_connection_waits_until_the_supervisor_can_be_told() -> None:
    """Killed before that, the worker has read nothing: another may have the connection as it came."""

    async def look(worker: Worker, supervisor: socket.socket, listener: Taken, filled: int) -> None:
        assert listener.served == []
        heard = b""
        while len(heard) < filled + 1:
            heard += supervisor.recv(65_536)
            await turn()
        assert heard[-1:] == TAKEN
        assert len(listener.served) == 1

    with_worker(True, look)


def test_a_connection_is_served_if_the_supervisor_is_gone() -> None:
    """Nobody else can have it."""

    async def look(worker: Worker, supervisor: socket.socket, listener: Taken, filled: int) -> None:
        assert listener.served == []
        supervisor.close()
        await turn()
        assert len(listener.served) == 1

    with_worker(True, look)
