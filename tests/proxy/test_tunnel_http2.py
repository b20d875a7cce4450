"""A tunnel that speaks HTTP/2: who is asked first, what is kept for whom, and what time does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from by_hand import END, HELLO, TOKEN, Scene, answer, head, play, turn

from brickscope.proxy.call import Call
from brickscope.proxy.deadlines import Limits
from brickscope.proxy.tunnel import KEPT
from brickscope.proxy.wire.calls import Calls

sys.path.append(str(Path(__file__).parent / "wire"))

from http2_by_hand import Listener, Speaker, data, ping, pseudo, reset, settings, window

BOTH = (b"h2", b"http/1.1")
AUTHORIZATION = (b"authorization", f"Bearer {TOKEN}".encode())


class Talk:
    """Both sides of a scene, in frames."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.c, self.h = Speaker(is_client=True), Speaker(is_client=False)
        self.at_client, self.at_host = Listener(is_host=False), Listener(is_host=True)
        self._read = {id(scene.client): len(HELLO)}
        self.told: list[str] = []

    def request(self, stream: int, target: str = "/ok/1", body: bytes | None = None) -> bytes:
        return self.c.request(stream, target, AUTHORIZATION, body=body)

    async def client(self, *sent: bytes) -> None:
        """The client sends."""
        self.scene.client.receive(b"".join(sent))
        await self.listen()

    async def host(self, *sent: bytes) -> None:
        """The host sends."""
        self.scene.host.receive(b"".join(sent))
        await self.listen()

    async def listen(self) -> None:
        """Take what either side was sent."""
        await turn()
        sides = [(self.scene.client, self.at_client, "client")]
        if self.scene.hosts:
            sides.append((self.scene.host, self.at_host, "host"))
        for transport, listener, name in sides:
            at = self._read.get(id(transport), len(HELLO))
            sent = transport.written[at:].removesuffix(END)
            self._read[id(transport)] = at + len(sent)
            self.told += [f"{name}< {text}" for text in listener.hear(sent)]


def over_http2(story: Callable[[Scene, Talk], Awaitable[None]], scene: Scene | None = None) -> Scene:
    """Play a story in which client and host speak HTTP/2."""
    scene = scene or Scene()
    scene.contexts.speaks = b"h2"

    async def begun(scene: Scene) -> None:
        talk = Talk(scene)
        scene.begin(HELLO, *BOTH)
        await turn()
        await talk.client(talk.c.hello)
        await talk.host(talk.h.hello)
        await story(scene, talk)

    return play(begun, scene)


def outcomes(scene: Scene) -> list[tuple[int | None, str]]:
    return [(record["status"], record.get("error", "")) for record in scene.log.of("outcome")]


def test_what_its_client_takes_back_at_once_is_not_sent_and_has_no_record() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1), reset(1))
        await talk.client(talk.request(3, body=b"x"), reset(3), talk.request(5, "/other"))
        assert talk.at_host.heads == {}
        assert talk.at_client.heads.keys() == {5}

    scene = over_http2(story)
    assert [record["path"] for record in scene.log.records] == ["/other"]


def test_a_call_goes_through_and_leaves_its_records() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1))
        assert [record["event"] for record in scene.log.records] == ["decision"]
        await talk.host(talk.h.answer(1))
        assert talk.told == ["host< 1 /ok/1 end", "client< 1 200", "client< 1 data end"]

    scene = over_http2(story)
    assert scene.contexts.offered == [BOTH]
    assert outcomes(scene) == [(200, "")]
    tally = scene.gate.tally
    assert (tally.in_flight, tally.outcomes["2xx"], tally.bytes) == (0, 1, {"request": 0, "response": 5})


CHOICES: dict[str, tuple[tuple[bytes, ...], bytes, bytes, list[tuple[bytes, ...]]]] = {
    "both can do it": (BOTH, b"h2", b"h2", [BOTH]),
    "the host can't": (BOTH, b"http/1.1", b"http/1.1", [BOTH]),
    "the host says nothing": (BOTH, b"", b"http/1.1", [BOTH]),
    "the client speaks nothing else": ((b"h2",), b"h2", b"h2", [BOTH]),
    "the client does not offer it": ((b"http/1.1",), b"h2", b"http/1.1", []),
    "the client offers nothing": ((), b"h2", b"http/1.1", []),
}


@pytest.mark.parametrize(("offers", "speaks", "chosen", "offered"), CHOICES.values(), ids=CHOICES)
def test_client_and_host_speak_the_same(
    offers: tuple[bytes, ...], speaks: bytes, chosen: bytes, offered: list[tuple[bytes, ...]]
) -> None:
    async def story(scene: Scene) -> None:
        scene.contexts.speaks = speaks
        scene.begin(HELLO, *offers)
        if offered:
            assert scene.client.paused, "nothing is read of a client that has no answer yet"
        await turn()
        assert not scene.client.paused
        assert scene.client.written.startswith(HELLO)
        assert scene.tunnel._client.alpn == chosen
        assert scene.contexts.offered == offered
        if chosen != b"h2":
            scene.client.receive(head())
            await turn()
            assert scene.host.written.endswith(head())
            scene.host.receive(answer(b"hello"))

    scene = play(story)
    assert len(scene.hosts) <= 1


def test_a_client_of_http2_alone_hears_in_words_that_its_host_does_not_speak_it() -> None:
    async def story(scene: Scene) -> None:
        scene.contexts.speaks = b"http/1.1"
        talk = Talk(scene)
        scene.begin(HELLO, b"h2")
        await turn()
        await talk.client(talk.c.hello, talk.request(1))
        await talk.listen()
        assert talk.told[:2] == ["client< 1 502", "client< 1 data end"]
        assert "goaway" in talk.told[-1]
        assert scene.client.eof_written

    scene = play(story)
    (outcome,) = outcomes(scene)
    assert outcome[1] == "the host could not be reached: it speaks another version of HTTP than the client"
    assert all(HELLO in host.written and b"/ok" not in host.written for host in scene.hosts)


@pytest.mark.parametrize("offers", [BOTH, (b"h2",)])
def test_a_host_that_cannot_be_reached_is_told_in_words(offers: tuple[bytes, ...]) -> None:
    async def story(scene: Scene) -> None:
        scene.reach = [OSError(111, "refused")] * 2
        talk = Talk(scene)
        scene.begin(HELLO, *offers)
        await turn()
        await talk.client(talk.c.hello, talk.request(1, "/other"), talk.request(3))
        await talk.listen()
        assert talk.told[0] == "client< 1 403"
        assert "client< 3 502" in talk.told

    assert outcomes(play(story)) == [(None, "the host could not be reached: refused")]


def test_what_the_host_says_before_the_client_is_there_is_kept() -> None:
    async def story(scene: Scene) -> None:
        scene.contexts.speaks = b"h2"
        talk = Talk(scene)
        scene.greets = False
        scene.begin(b"<hel", *BOTH)
        await turn()
        scene.host.receive(HELLO + talk.h.hello)
        await turn()
        assert scene.host.paused or scene.host.closed == ""
        scene.client.receive(HELLO[4:])
        await turn()
        await talk.client(talk.c.hello, talk.request(1))
        await talk.host(talk.h.answer(1))
        assert talk.told[-1] == "client< 1 data end"

    assert outcomes(play(story)) == [(200, "")]


def test_a_host_that_left_while_idle_is_dialled_again() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1))
        await talk.host(talk.h.answer(1))
        scene.host.receive(END)
        await turn()
        await talk.client(talk.request(3))
        assert len(scene.hosts) == 2
        talk.h, talk.at_host = Speaker(is_client=False), Listener(is_host=True)
        await talk.host(talk.h.hello, talk.h.answer(1))

    scene = over_http2(story)
    assert scene.contexts.offered == [BOTH, (b"h2",)]
    assert outcomes(scene) == [(200, "")] * 2


def test_a_client_that_leaves_ends_its_calls() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1), talk.request(3))
        scene.client.receive(END)
        await turn()
        assert scene.host.closed == "aborted"

    assert outcomes(over_http2(story)) == [(None, "the client left")] * 2


def test_a_reset_is_recorded_with_its_code() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1))
        await talk.client(reset(1, 8))
        assert talk.at_host.resets == {1: 8}

    assert outcomes(over_http2(story)) == [(None, "the client left: it reset the stream with code 8")]


def test_a_side_that_takes_nothing_is_not_read_either() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1))
        scene.client.fill(True)
        assert scene.client.paused
        assert scene.host.paused
        scene.client.fill(False)
        assert not scene.client.paused
        assert not scene.host.paused
        scene.host.fill(True)
        assert scene.client.paused
        assert scene.host.paused
        scene.host.receive_end()
        scene.host.cut()
        await turn()
        assert not scene.client.paused

    over_http2(story)


def test_heads_that_are_not_decided_on_are_bounded() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        scene.tunnel._client_full = True
        fields = [*pseudo("/other"), (b"x-long", b"y" * 20_000)]
        heads = [talk.c.headers(number, fields, end=True, parts=3) for number in range(1, 21, 2)]
        scene.client.receive(b"".join(heads))
        core = scene.tunnel._core
        assert core is not None
        assert (scene.log.of("decision"), core.ahead > KEPT) == ([], True)
        assert scene.client.paused
        scene.tunnel.end_full(scene.tunnel._client, False)
        await turn(50)
        assert (len(scene.log.of("decision")), core.ahead) == (10, 0)
        assert not scene.client.paused

    over_http2(story)


async def pass_time(scene: Scene, *moments: float) -> None:
    for moment in moments:
        scene.path.look_at_all(moment)
        await turn()


def test_a_begun_header_block_has_a_time() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        fields = [*pseudo("/ok/1"), AUTHORIZATION, (b"x", b"y" * 200)]
        whole = talk.c.headers(1, fields, end=True, parts=3)
        await talk.client(whole[:60])
        for second in range(33):
            scene.client.receive(whole[60 + second : 61 + second])
            await pass_time(scene, 100.0 + second)
        assert scene.client.closed or scene.client.eof_written

    scene = over_http2(story)
    assert [record["cause"] for record in scene.log.of("timeout")] == ["head"]
    assert scene.log.of("decision") == []


def test_pings_do_not_keep_an_idle_connection() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        for second in range(0, 660, 10):
            await talk.client(ping())
            await pass_time(scene, 1000.0 + second)
        assert scene.client.eof_written

    scene = over_http2(story)
    assert [record["cause"] for record in scene.log.of("timeout")] == ["idle"]


def test_a_stalled_stream_ends_and_the_others_go_on() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(settings(INITIAL_WINDOW_SIZE=0), talk.request(1), talk.request(3), talk.request(5))
        await talk.client(window(3, 1 << 20))
        for number in (1, 3):
            await talk.host(talk.h.headers(number, [(b":status", b"200")]), data(number, b"x"))
        for second in range(0, 650, 10):
            await talk.host(data(3, b"x"))
            await pass_time(scene, 1000.0 + second)
        assert talk.at_client.resets == {1: 8}
        assert talk.at_client.heads[5][0][0] == (b":status", b"504")
        await talk.host(data(3, b"x", end=True))

    scene = over_http2(story, Scene(limits=Limits(stall=600.0)))
    assert outcomes(scene) == [
        (200, "the client sent and took nothing any more"),
        (None, "the host sent and took nothing any more"),
        (200, ""),
    ]
    assert [record["cause"] for record in scene.log.of("timeout")] == ["stall"] * 2


def test_a_stop_closes_what_is_idle() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1))
        scene.gate.draining = True
        assert await scene.tunnel.is_busy(late=False)
        await talk.host(talk.h.answer(1))
        await talk.listen()
        assert talk.told[-1] == "client< goaway 2147483647 0"
        scene.tunnel.close_idle()
        await talk.listen()
        assert talk.told[-1] == "client< goaway 1 0"
        assert scene.client.eof_written

    over_http2(story)


def test_a_fault_inside_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        await talk.client(talk.request(1))
        monkeypatch.setattr(Calls, "hear", None)
        await talk.host(talk.h.answer(1))
        assert scene.client.closed == scene.host.closed == "aborted"

    assert outcomes(over_http2(story)) == [(None, "the proxy failed inside")]


def test_a_fault_at_one_call_of_a_turn_leaves_the_others_their_outcomes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[Any] = []

    def leave(*given: Any) -> None:
        left.append(given)
        if len(left) == 2:
            raise RuntimeError
        real(*given)

    real = Call.leave

    async def story(scene: Scene, talk: Talk) -> None:
        monkeypatch.setattr(Call, "leave", leave)
        await talk.client(*(talk.request(number) for number in (1, 3, 5, 7)))
        assert scene.client.closed == "aborted"
        assert len(talk.at_host.heads) <= 1

    scene = over_http2(story)
    assert len(scene.log.of("decision")) == 4
    assert outcomes(scene) == [(None, "the proxy failed inside")] * 4
    assert scene.gate.tally.in_flight == 0


def test_requests_leave_others_their_turn() -> None:
    async def story(scene: Scene, talk: Talk) -> None:
        scene.client.receive(b"".join(talk.request(number, "/other") for number in range(1, 101, 2)))
        assert len(scene.log.batch) == 16
        await asyncio.sleep(0)
        assert (len(scene.log.of("decision")), len(scene.log.batch)) == (16, 16)
        await asyncio.sleep(0)
        assert len(scene.log.of("decision")) == 32

    over_http2(story)
