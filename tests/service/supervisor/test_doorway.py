"""The door: who gets a connection, who gets it next if that one dies, and what waits while nobody serves."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from brickscope.service.supervisor.channel import numbered
from brickscope.service.supervisor.doorway import Doorway, open_port


class Taker:
    """Stands for a worker: keeps what it is given, or takes nothing."""

    def __init__(self, load: int = 0, *, full: bool = False) -> None:
        self.given: list[socket.socket] = []
        self.full = full
        self._load = load

    @property
    def load(self) -> int:
        return self._load + len(self.given)

    def give(self, connection: socket.socket) -> bool:
        if not self.full:
            self.given.append(connection)
        return not self.full


def with_door(look: Callable[[Doorway, Callable[[], Awaitable[None]]], Awaitable[None]]) -> None:
    """Run with an open port, and something that makes a connection to it."""

    async def run() -> None:
        door = Doorway(open_port("127.0.0.1", 0))
        host, _, port = door.addresses[0].rpartition(":")
        clients: list[asyncio.StreamWriter] = []

        async def connect() -> None:
            clients.append((await asyncio.open_connection(host, int(port)))[1])
            await asyncio.sleep(0.02)

        try:
            await look(door, connect)
        finally:
            door.close()
            for each in clients:
                each.close()

    asyncio.run(run())


def use(door: Doorway, *workers: Taker) -> None:
    """Let these serve from now on."""
    door.workers = lambda: workers  # type: ignore[assignment,return-value]
    door.look()


def close(*workers: Taker) -> None:
    for worker in workers:
        for each in worker.given:
            each.close()


def test_equal_workers_take_turns_and_the_least_loaded_comes_first() -> None:
    async def look(door: Doorway, connect: Callable[[], Awaitable[None]]) -> None:
        workers = [Taker(), Taker(), Taker(load=4)]
        use(door, *workers)
        for _ in range(8):
            await connect()
        assert [len(worker.given) for worker in workers] == [4, 4, 0]
        for _ in range(3):
            await connect()
        assert sorted(worker.load for worker in workers) == [5, 5, 5]
        close(*workers)

    with_door(look)


def test_connections_wait_in_the_kernel_while_nobody_serves() -> None:
    async def look(door: Doorway, connect: Callable[[], Awaitable[None]]) -> None:
        use(door)
        await connect()
        await connect()
        worker = Taker()
        use(door, worker)
        await asyncio.sleep(0.05)
        assert len(worker.given) == 2
        close(worker)

    with_door(look)


def test_a_worker_that_takes_nothing_is_passed_over() -> None:
    async def look(door: Doorway, connect: Callable[[], Awaitable[None]]) -> None:
        stuck, good = Taker(full=True), Taker(load=100)
        use(door, stuck, good)
        await connect()
        assert len(good.given) == 1
        good.full = True
        await connect()
        assert len(good.given) == 1
        good.full = False
        door.look()
        assert len(good.given) == 2, "it waited"
        close(good)

    with_door(look)


def test_the_door_opens_again_by_itself_when_full_workers_take_again() -> None:
    """A burst that fills every worker's channel must not shut everybody out for good: nobody says that there is room."""

    async def look(door: Doorway, connect: Callable[[], Awaitable[None]]) -> None:
        worker = Taker(full=True)
        use(door, worker)
        await connect()
        await asyncio.sleep(1.2)  # it has looked in vain more than once
        assert worker.given == []
        worker.full = False
        async with asyncio.timeout(20):
            while not worker.given:  # noqa: ASYNC110 - a stand-in has no event
                await asyncio.sleep(0.05)
            await connect()
            while len(worker.given) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        close(worker)

    with_door(look)


def test_what_a_dead_worker_never_took_goes_to_another() -> None:
    async def look(door: Doorway, connect: Callable[[], Awaitable[None]]) -> None:
        first, second = Taker(), Taker()
        use(door, first)
        await connect()
        use(door, second)
        door.take_back(first.given)
        assert second.given == first.given
        close(second)

    with_door(look)


def test_the_shares_are_even_over_many_connections() -> None:
    async def look(door: Doorway, connect: Callable[[], Awaitable[None]]) -> None:
        workers = [Taker() for _ in range(4)]
        use(door, *workers)
        for _ in range(20):
            await connect()
        assert Counter(len(worker.given) for worker in workers) == {5: 4}
        close(*workers)

    with_door(look)


def test_a_port_that_is_taken_is_said_in_words() -> None:
    (taken,) = open_port("127.0.0.1", 0)
    with (
        taken,
        pytest.raises(OSError, match="Address already in use; another program listens there") as error,
    ):
        open_port("127.0.0.1", taken.getsockname()[1])
    assert "choose another port with -p" in str(error.value)


def test_a_host_that_is_none_is_said_in_words() -> None:
    with pytest.raises(OSError, match=r"the proxy can't listen on no-such-host\.invalid:8080"):
        open_port("no-such-host.invalid", 8080)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/var/log/audit.jsonl", "audit-2.jsonl"), ("/a/log", "log-2"), ("/a/b.c.jsonl", "b.c-2.jsonl")],
)
def test_each_worker_has_files_of_its_own(path: str, name: str) -> None:
    assert numbered(Path(path), 2) == Path(path).with_name(name)
