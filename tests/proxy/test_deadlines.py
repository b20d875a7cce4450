"""Limits of time, with a clock by hand: what is waited for, for how long, and what is said when that is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from by_hand import END, HELLO, Scene, answer, head, play, turn

from brickscope.proxy.deadlines import Limits, Patience

LIMITS = Limits(handshake=10.0, head=30.0, idle=60.0, stall=120.0)


def test_patience_begins_anew_with_what_is_new() -> None:
    patience = Patience()
    assert not patience.is_over("a", 10, 100)
    assert not patience.is_over("a", 10, 109.9)
    assert not patience.is_over("b", 10, 111)
    assert not patience.is_over("b", 10, 120)
    assert patience.is_over("b", 10, 121)


def test_what_has_ended_is_not_looked_at() -> None:
    class Each:
        def __init__(self) -> None:
            self.seen: list[float] = []

        def look(self, now: float) -> None:
            self.seen.append(now)
            path.open.clear()

    path, one, other = Scene().path, Each(), Each()
    path.open = {1: one, 2: other}  # type: ignore[dict-item]
    path.look_at_all(1.0)
    path.look_at_all(2.0)
    assert one.seen == other.seen == [1.0]


def test_all_are_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Each:
        seen = 0

        def look(self, now: float) -> None:
            self.seen += 1

    async def run() -> int:
        monkeypatch.setattr("brickscope.proxy.datapath.PAUSE", 0)
        path, each = Scene().path, Each()
        path.open = {1: each}  # type: ignore[dict-item]
        task = asyncio.get_running_loop().create_task(path.keep_deadlines())
        await turn()
        task.cancel()
        return each.seen

    assert asyncio.run(run()) > 2


async def silence(scene: Scene) -> None:
    """Nothing but the handshake's begin."""
    scene.begin(HELLO[:3])


async def idle(scene: Scene) -> None:
    scene.begin()
    scene.client.receive(head())
    await turn()
    scene.host.receive(answer(b"x"))
    await turn()


async def within_a_head(scene: Scene) -> None:
    scene.begin()
    scene.client.receive(head()[:-1])


async def within_a_body(scene: Scene) -> None:
    scene.begin()
    scene.client.receive(head("/ok/1", "Content-Length: 100", method="PUT") + b"x")
    await turn()


async def within_a_denied_body(scene: Scene) -> None:
    scene.begin()
    scene.client.receive(head("/other", "Content-Length: 100", method="PUT") + b"x")
    await turn()


async def before_the_answer(scene: Scene) -> None:
    scene.begin()
    scene.client.receive(head())
    await turn()


async def within_the_answer(scene: Scene) -> None:
    await before_the_answer(scene)
    scene.host.receive(answer(b"0123456789")[:-1])


async def a_client_that_reads_nothing(scene: Scene) -> None:
    await before_the_answer(scene)
    scene.client.fill(True)
    scene.host.receive(answer(b"0123456789")[:-1])


async def a_host_that_reads_nothing(scene: Scene) -> None:
    await within_a_body(scene)
    scene.host.fill(True)
    scene.client.receive(b"y")


async def answers_that_are_not_read(scene: Scene) -> None:
    scene.begin()
    await turn()
    scene.client.fill(True)
    scene.client.receive(head("/other") * 10)


Story = Callable[[Scene], Awaitable[None]]
# story, limit, its seconds, the error of the outcome (None: there is none)
OVERDUE: dict[str, tuple[Story, str, float, str | None]] = {
    "a handshake": (silence, "handshake", 10.0, None),
    "between two calls": (idle, "idle", 60.0, ""),
    "the rest of a head": (within_a_head, "head", 30.0, None),
    "the rest of a body": (within_a_body, "stall", 120.0, "the client sent and took nothing any more"),
    "the rest of a denied body": (within_a_denied_body, "stall", 120.0, None),
    "an answer": (before_the_answer, "stall", 120.0, "the host sent and took nothing any more"),
    "the rest of an answer": (within_the_answer, "stall", 120.0, "the host sent and took nothing any more"),
    "a client that reads nothing": (
        a_client_that_reads_nothing,
        "stall",
        120.0,
        "the client sent and took nothing any more",
    ),
    "a host that reads nothing": (
        a_host_that_reads_nothing,
        "stall",
        120.0,
        "the host sent and took nothing any more",
    ),
    "answers that are not read": (answers_that_are_not_read, "stall", 120.0, None),
}


@pytest.mark.parametrize(("begin", "limit", "seconds", "error"), OVERDUE.values(), ids=OVERDUE)
def test_what_is_waited_for_too_long_ends_and_is_recorded(
    begin: Story, limit: str, seconds: float, error: str | None
) -> None:
    async def story(scene: Scene) -> None:
        await begin(scene)
        await turn()
        scene.path.look_at_all(1000.0)
        scene.path.look_at_all(1000.0 + seconds - 1)
        await turn()
        assert scene.log.of("timeout") == []
        assert not scene.client.closed
        scene.path.look_at_all(1000.0 + seconds)
        await turn()
        (record,) = scene.log.of("timeout")
        assert (record["cause"], record["seconds"]) == (limit, seconds)
        assert record["client_address"] == "192.0.2.1"
        assert scene.client.closed == "aborted" or scene.client.eof_written
        assert all(host.closed for host in scene.hosts)
        # What is left of it ends in a moment.
        scene.path.look_at_all(2000.0)
        scene.path.look_at_all(2002.0)
        await turn()
        assert scene.client.closed
        assert len(scene.log.of("timeout")) == 1

    scene = play(story, Scene(limits=LIMITS))
    assert [record.get("error", "") for record in scene.log.of("outcome")] == (
        [] if error is None else [error]
    )
    if error:
        assert scene.log.of("timeout")[0]["decision_id"] == scene.log.of("outcome")[0]["decision_id"]


def test_an_answer_that_does_not_come_is_said_to_the_client() -> None:
    async def story(scene: Scene) -> None:
        await before_the_answer(scene)
        scene.path.look_at_all(0.0)
        scene.path.look_at_all(120.0)
        await turn()
        assert b"HTTP/1.1 504 Gateway Timeout" in scene.client.written
        assert scene.client.written.endswith(END)

    play(story, Scene(limits=LIMITS))


MOVES: dict[str, tuple[Story, Callable[[Scene], Any]]] = {
    "a byte of a body": (within_a_body, lambda scene: scene.client.receive(b"y")),
    "a byte that a slow client takes": (
        a_client_that_reads_nothing,
        lambda scene: setattr(scene.client, "unread", scene.client.unread - 1),
    ),
    "a byte that a slow host takes": (
        a_host_that_reads_nothing,
        lambda scene: setattr(scene.host, "unread", scene.host.unread - 1),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_call_that_moves_takes_as_long_as_it_likes(name: str) -> None:
    begin, move = MOVES[name]

    async def story(scene: Scene) -> None:
        await begin(scene)
        for now in range(0, 1000, 100):
            scene.path.look_at_all(float(now))
            move(scene)
        assert scene.log.of("timeout") == []

    play(story, Scene(limits=LIMITS))


def test_a_head_that_drips_does_not() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        raw = head()
        for at in range(len(raw) - 1):
            scene.client.receive(raw[at : at + 1])
            scene.path.look_at_all(float(at))
        await turn()
        (record,) = scene.log.of("timeout")
        assert record["cause"] == "head"
        assert scene.client.closed

    play(story, Scene(limits=LIMITS))


def test_nor_does_a_handshake_that_drips() -> None:
    async def story(scene: Scene) -> None:
        scene.begin(HELLO[:1])
        for at in range(1, len(HELLO) - 1):
            scene.client.receive(HELLO[at : at + 1])
            scene.path.look_at_all(at * 3.0)
        await turn()
        assert scene.log.of("timeout")[0]["cause"] == "handshake"

    play(story, Scene(limits=LIMITS))


def test_a_connection_that_was_ended_here_is_not_waited_for_long() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/other", "Connection: close"))
        await turn()
        assert scene.client.eof_written
        scene.path.look_at_all(0.0)
        scene.path.look_at_all(1.0)
        assert not scene.client.closed
        scene.path.look_at_all(2.0)
        assert scene.client.closed == "aborted"
        assert scene.log.of("timeout") == []

    play(story, Scene(limits=LIMITS))


def test_but_its_last_answer_is_as_long_as_it_goes_out() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        scene.client.full = True
        scene.client.receive(head("/other", "Connection: close"))
        await turn()
        for now in range(0, 100, 10):
            scene.path.look_at_all(float(now))
            scene.client.unread -= 1
        assert not scene.client.closed

    play(story, Scene(limits=LIMITS))


def test_an_address_that_does_not_answer_is_not_waited_for() -> None:
    async def story(scene: Scene) -> None:
        scene.hold_dials = True
        scene.begin()
        scene.client.receive(head())
        for _ in range(500):
            await asyncio.sleep(0.01)
            if b"502" in scene.client.written:
                break
        assert b"502" in scene.client.written

    scene = play(story, Scene(limits=LIMITS._replace(handshake=0.01)))
    (record,) = scene.log.of("outcome")
    assert record["error"] == "the host could not be reached: it did not answer within 0.01 seconds"


def test_nor_is_a_handshake_of_a_host() -> None:
    async def story(scene: Scene) -> None:
        scene.greets = False
        scene.begin()
        scene.client.receive(head())
        for _ in range(500):
            await asyncio.sleep(0.01)
            if scene.host.closed:
                break
        assert scene.host.closed == "aborted"

    scene = play(story, Scene(limits=LIMITS._replace(handshake=0.01)))
    (record,) = scene.log.of("outcome")
    assert record["error"].endswith("its TLS handshake took more than 0.01 seconds")
