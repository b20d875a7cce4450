"""The door: accepts connections on the port, and gives each to the worker that has the fewest.

Passing sockets instead of SO_REUSEPORT: docs/decisions/0005-workers.md.
"""

import asyncio
import errno
import logging
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from brickscope.service.monitoring.address import not_listening, written

from .worker_process import WorkerProcess

logger = logging.getLogger("brickscope.supervisor")

BACKLOG = 1024
"""Connections that the kernel keeps while none is accepted."""
_AT_ONCE = 64
_SHORTAGE_PAUSE = 0.5
_LOST = (errno.ECONNABORTED, errno.EINTR, errno.EPROTO)


def open_port(host: str, port: int) -> list[socket.socket]:
    """Bind a port on all addresses of a host. Raises OSError, with words for the operator."""
    found: list[socket.socket] = []
    try:
        addresses = dict.fromkeys(
            (family, address[:2])
            for family, _, _, _, address in socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        )
        for family, address in addresses:
            found.append(
                socket.create_server((str(address[0]), int(address[1])), family=family, backlog=BACKLOG)
            )
    except OSError as error:
        for each in found:
            each.close()
        raise not_listening(host, port, error) from None
    return found


class Doorway:
    """Open while some worker serves; connections wait in the kernel meanwhile, and are not refused."""

    def __init__(self, listeners: Sequence[socket.socket]) -> None:
        self.listeners = list(listeners)
        self.workers: Callable[[], Sequence[WorkerProcess]] = list
        """Who may be given connections."""
        self._waiting: deque[socket.socket] = deque()
        self._open = False
        self._turn = 0
        self._later: asyncio.TimerHandle | None = None
        for listener in self.listeners:
            listener.setblocking(False)

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as ``ADDRESS:PORT``."""
        return [written(*listener.getsockname()[:2]) for listener in self.listeners]

    def look(self) -> None:
        """Open or close as workers come and go; give what waits."""
        while self._waiting and self._give(self._waiting[0]):
            self._waiting.popleft()
        self._set_open(bool(self.workers()) and not self._waiting)
        if self._waiting and self.workers():
            # No worker says when it reads its channel again: who only looked once more would stay closed for ever after a
            # burst of connections that came while all workers were busy.
            self._look_later()

    def take_back(self, connections: Iterable[socket.socket]) -> None:
        """Connections whose worker died before it took them go to another one."""
        self._waiting.extend(connections)
        self.look()

    def close(self) -> None:
        """Accept what the kernel has accepted for us already, and then no more."""
        self._set_open(False)
        for listener in self.listeners:
            self._accept(listener, 2 * BACKLOG)
            listener.close()
        self.listeners = []
        for connection in self._waiting:
            connection.close()
        self._waiting.clear()
        if self._later is not None:
            self._later.cancel()

    def _look_later(self) -> None:
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(_SHORTAGE_PAUSE, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self.look()

    def _set_open(self, wanted: bool) -> None:
        if wanted is self._open:
            return
        self._open = wanted
        loop = asyncio.get_running_loop()
        for listener in self.listeners:
            if wanted:
                loop.add_reader(listener, self._accept, listener, _AT_ONCE)
            else:
                loop.remove_reader(listener)

    def _accept(self, listener: socket.socket, most: int) -> None:
        for _ in range(most):
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _LOST:
                    logger.error("no connection can be accepted: %s", error.strerror)
                    self._set_open(False)
                    self._look_later()
                return
            if not self._give(connection):
                self._waiting.append(connection)
                self._set_open(False)
                self._look_later()
                return

    def _give(self, connection: socket.socket) -> bool:
        self._turn += 1
        turn = self._turn
        workers = list(self.workers())
        # Equal ones in turn.
        order = sorted(
            range(len(workers)), key=lambda index: (workers[index].load, (index - turn) % len(workers))
        )
        return any(workers[index].give(connection) for index in order)
