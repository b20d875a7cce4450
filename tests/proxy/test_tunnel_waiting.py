"""A tunnel that waits: for keys that a decision needs, and for bodies that are held back to be judged."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from by_hand import (
    END,
    HELLO,
    HOST,
    OK,
    TOKEN,
    PretendedTransport,
    Scene,
    broken,
    head,
    outcomes,
    play,
    turn,
)

from brickscope.core.pending import BodyNeeded, NotYetKnown
from brickscope.proxy.datapath import Visitor
from brickscope.proxy.gate import Gate
from brickscope.proxy.tunnel import KEPT, Tunnel
from brickscope.proxy.wire.http1 import Http1
from http2_by_hand import Speaker, data, pseudo

# -- waiting for keys -------------------------------------------------------------------------------------------


class Directory:
    """Learns when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: asyncio.Future[None] | None = None

    async def learn(self, unknown: NotYetKnown) -> None:
        self.asked.append(unknown.url)
        self.done = asyncio.get_running_loop().create_future()
        await self.done

    def settled(self, urls: Collection[str]) -> Directory:
        return self


def waiting(monkeypatch: pytest.MonkeyPatch, scene: Scene, urls: list[str]) -> Directory:
    """Have the gate need these documents, one after the other."""
    directory: Any = Directory()
    scene.gate.directory = directory
    judge = Gate.judge

    def judge_when_known(
        gate: Gate, wire: Any, address: Any, refused: Any, body: Any, settled: Any, unread: Any
    ) -> Any:
        for url in urls:
            if url not in settled:
                raise NotYetKnown(url)
        return judge(gate, wire, address, refused, body, settled, unread)

    monkeypatch.setattr(Gate, "judge", judge_when_known)
    return directory  # type: ignore[no-any-return]


def test_a_request_waits_for_keys_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys", "more"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        assert (directory.asked, scene.dials) == (["keys"], [])
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert directory.asked == ["keys", "more"]
        directory.done.set_result(None)
        await turn()
        scene.host.receive(OK)

    assert outcomes(play(story)) == [(200, "")]


def test_a_client_that_leaves_while_its_request_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.client.cut()
        await turn()
        assert directory.done
        assert directory.done.cancelled()

    scene = play(story)
    assert scene.log.records == []
    assert scene.dials == []


def test_a_body_that_comes_while_its_request_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 100000000", method="PUT"))
        await turn()
        scene.client.receive(b"x" * (KEPT + 1))
        assert scene.client.paused
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert not scene.client.paused
        assert len(scene.host.written) > KEPT

    play(story)


def test_keys_that_cannot_be_waited_for_are_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        assert directory.done
        directory.done.set_exception(RuntimeError("secret"))
        await turn()
        assert b"403 Forbidden" in scene.client.written
        assert scene.client.written.endswith(END)

    scene = play(story)
    assert scene.dials == []
    assert [record["reason"] for record in scene.log.of("decision")] == ["internal_error"]


def test_nor_is_anything_waited_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, [])

        def never_known(*_: Any) -> Any:
            raise NotYetKnown("keys")

        monkeypatch.setattr(Gate, "judge", never_known)
        scene.begin()
        scene.client.receive(head())
        await turn()
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert directory.asked == ["keys"]
        assert b"internal_error" in scene.client.written

    assert play(story).dials == []


def test_what_raises_after_the_wait_ends_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        monkeypatch.setattr(Http1, "rule", broken)
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert scene.client.closed == "aborted"

    assert len(outcomes(play(story))) == 1


# -- bodies that are held back ----------------------------------------------------------------------------------


@pytest.fixture
def judged_by_body(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Gate.judge

    def judge_by_body(
        gate: Gate, wire: Any, address: Any, refused: Any, body: Any, settled: Any, unread: Any
    ) -> Any:
        if body is None and unread is None:
            raise BodyNeeded(1_000_000)
        return judge(gate, wire, address, refused, body, settled, unread)

    monkeypatch.setattr(Gate, "judge", judge_by_body)


@pytest.mark.usefixtures("judged_by_body")
def test_bodies_that_are_held_back_have_room_together() -> None:
    async def story(scene: Scene) -> None:
        scene.path.room = 1000
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 2000", method="PUT") + b"x" * 500)
        await turn()
        assert (scene.path.held, scene.log.records) == (500, [])
        scene.client.receive(b"x" * 600)
        await turn()
        assert scene.log.of("decision")[0]["reason"] == "too_large"
        assert b"403" in scene.client.written
        assert scene.path.held == 0
        scene.client.receive(b"x" * 900)
        await turn()
        assert not scene.client.closed

    play(story)


@pytest.mark.usefixtures("judged_by_body")
@pytest.mark.parametrize(
    ("sizes", "given_up"),
    {
        "one client with many small ones": ([("a", 400), ("a", 400), ("b", 500)], 0),
        "the largest of that client": ([("a", 200), ("a", 700), ("b", 500)], 1),
        "who comes last, if it holds most": ([("a", 400), ("b", 700)], 1),
    }.values(),
)
def test_without_room_it_is_the_client_that_holds_most_who_goes_on_without(
    sizes: list[tuple[str, int]], given_up: int
) -> None:
    """One client that sends most of many bodies and waits had those of all others denied."""

    async def story(scene: Scene) -> None:
        scene.path.room = 1000
        clients = []
        for address, size in sizes:
            client = PretendedTransport(("192.0.2.1", 4000))
            tunnel = Tunnel(scene.path, Visitor(address, HOST, 443, HOST), lambda: None)
            scene.path.open[client] = tunnel
            tunnel.begin(client, HELLO)
            client.receive(head("/ok/1", "Content-Length: 2000", method="PUT") + b"x" * size)
            clients.append(client)
        await turn()
        assert [b" 403 " in client.written for client in clients] == [
            at == given_up for at in range(len(sizes))
        ]
        assert scene.path.held == sum(size for _, size in sizes) - sizes[given_up][1]

    play(story)


@pytest.mark.usefixtures("judged_by_body")
@pytest.mark.parametrize("reads", [True, False])
def test_who_holds_most_goes_on_without_also_where_it_takes_no_answers(reads: bool) -> None:
    """A client that stopped to read its answers kept its bodies, and had those of all others denied for ten minutes."""

    async def story(scene: Scene) -> None:
        scene.path.room = 1000
        scene.contexts.speaks = b"h2"
        scene.begin(HELLO, b"h2")
        await turn()
        speaker = Speaker(is_client=True)
        fields = [*pseudo("/ok/1", "PUT"), (b"authorization", f"Bearer {TOKEN}".encode())]
        calls = (speaker.headers(number, fields) + data(number, b"x" * 40) for number in range(1, 50, 2))
        scene.client.receive(speaker.hello + b"".join(calls))
        await turn()
        assert scene.path.held == 1000
        scene.client.fill(not reads)
        other = PretendedTransport(("192.0.2.2", 4000))
        tunnel = Tunnel(scene.path, Visitor("192.0.2.2", HOST, 443, HOST), lambda: None)
        scene.path.open[other] = tunnel
        tunnel.begin(other, HELLO)
        other.receive(head("/ok/1", "Content-Length: 2000", method="PUT") + b"x" * 500)
        assert scene.path.held == 500, "the room is there at once"
        await turn()
        assert b" 403 " not in other.written
        assert [each["reason"] for each in scene.log.of("decision")] == ["too_large"] * 25

    play(story)


def test_room_is_given_back_when_the_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def needs_body(*_: Any) -> Any:
        raise BodyNeeded(1_000_000)

    monkeypatch.setattr(Gate, "judge", needs_body)

    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 2000", method="PUT") + b"x" * 500)
        await turn()
        assert scene.path.held == 500
        scene.client.cut()
        await turn()
        assert scene.path.held == 0

    play(story)
