"""Tunnels to other hosts: every byte and no other goes through, memory is constant, and every end is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from by_hand import HOST, Scene, broken, head, play, turn
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.proxy.deadlines import Limits
from brickscope.proxy.denial import ESTABLISHED
from brickscope.proxy.destination import CHOSEN
from brickscope.proxy.flow import KEPT, LINGER
from brickscope.proxy.relay import Relay
from brickscope.proxy.upstream import LAST
from client_hello import client_hello
from examples import examples

SSH = b"SSH-2.0-OpenSSH_9.6\r\n"


def up(story: Callable[[Scene, Relay], Any], scene: Scene | None = None) -> Scene:
    """What ``story`` does once the tunnel is there."""

    async def run(scene: Scene) -> None:
        relay = scene.relay()
        await turn()
        assert scene.client.written == ESTABLISHED
        scene.client.written = b""
        found = story(scene, relay)
        if found is not None:
            await found

    return play(run, scene)


def test_bytes_go_both_ways_and_the_host_may_speak_first() -> None:
    def story(scene: Scene, relay: Relay) -> None:
        scene.host.receive(b"220 hello\r\n")
        assert scene.client.written == b"220 hello\r\n"
        scene.client.receive(SSH)
        scene.client.receive(b"more")
        assert scene.host.written == SSH + b"more"
        assert relay.hosts == 1

    scene = up(story)
    assert scene.log.records == [], "its decision was recorded before it began"


@pytest.mark.parametrize("size", [1, 70_000])
def test_what_was_sent_ahead_goes_first(size: int) -> None:
    async def story(scene: Scene) -> None:
        scene.relay(SSH + bytes(size))
        scene.client.receive(b"b") if size == 1 else None
        assert scene.client.paused is (size > KEPT)
        await turn()
        assert not scene.client.paused
        assert scene.host.written == SSH + bytes(size) + (b"b" if size == 1 else b"")

    play(story)


def test_little_is_kept_while_the_host_is_dialled() -> None:
    async def story(scene: Scene) -> None:
        scene.hold_dials = True
        scene.relay()
        await turn()
        sent = 0
        while scene.client.receive(b"\x00" * 1000):
            sent += 1000
        assert KEPT < sent <= KEPT + 1000
        scene.release()
        await turn()
        assert len(scene.host.written) == sent
        assert scene.client.receive(b"x")

    play(story)


def test_neither_side_is_read_while_the_other_takes_no_more() -> None:
    def story(scene: Scene, relay: Relay) -> None:
        scene.host.fill(True)
        assert not scene.client.receive(b"x")
        assert scene.host.receive(b"y")
        scene.client.fill(True)
        assert not scene.host.receive(b"y")
        scene.host.fill(False)
        assert scene.client.receive(b"x")
        scene.client.fill(False)
        assert scene.host.receive(b"y")

    up(story)


def test_ten_thousand_small_writes() -> None:
    def story(scene: Scene, relay: Relay) -> None:
        for number in range(10_000):
            scene.client.receive(b"%d " % number)
            scene.host.receive(b"<%d>" % number)
        assert scene.host.written == b"".join([b"%d " % number for number in range(10_000)])
        assert scene.client.written == b"".join([b"<%d>" % number for number in range(10_000)])

    up(story)


NAMING = {
    "TLS": client_hello(HOST),
    "HTTP": b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST.encode(),
    "a further proxy": b"CONNECT %b:443 HTTP/1.1\r\n\r\n" % HOST.encode(),
}


@pytest.mark.parametrize("step", [1, 1 << 16])
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("sent", NAMING.values(), ids=NAMING)
def test_what_names_a_workspace_is_cut_and_recorded(sent: bytes, ahead: bool, step: int) -> None:
    async def story(scene: Scene) -> None:
        scene.relay(sent if ahead else b"")
        await turn()
        for start in range(0, 0 if ahead else len(sent), step):
            scene.client.receive(sent[start : start + step])
        assert (scene.client.closed, scene.host.closed) == ("aborted", "aborted")
        assert not scene.host.written.endswith(b"\r\n\r\n")
        await turn()
        assert scene.ended == 1

    scene = play(story)
    (record,) = scene.log.of("tunnel")
    assert (record["decision"], record["reason"]) == ("deny", "server_name_mismatch")
    assert (record["server_address"], record["server_port"]) == ("other.example", 443)


# -- the way there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [False, True])
def test_a_host_that_can_not_be_reached(left: bool) -> None:
    async def story(scene: Scene) -> None:
        scene.reach = [ConnectionRefusedError(111, "Connection refused")]
        relay = scene.relay(SSH)
        if left:
            scene.client.receive_end()
        await turn()
        assert scene.hosts == []
        if left:
            assert (scene.client.written, scene.ended) == (b"", 1)
            return
        head, _, body = scene.client.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert body == b"Brickscope could not reach the host: Connection refused\n"
        assert scene.client.eof_written
        assert scene.gate.tally.connect_failures == 1
        scene.client.receive(b"who takes no notice")
        relay.look(100.0)
        relay.look(100.0 + LINGER)
        assert scene.client.closed == "aborted"

    play(story)


@pytest.mark.parametrize("begin", [Scene.relay, Scene.begin])
def test_the_name_is_looked_up_apart_from_those_under_policy(begin: Callable[[Scene], Any]) -> None:
    chosen: list[bool] = []

    async def story(scene: Scene) -> None:
        async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
            chosen.append(CHOSEN.get())
            return []

        asyncio.get_running_loop().getaddrinfo = getaddrinfo  # type: ignore[method-assign]
        begin(scene)
        scene.client.receive(head())
        await turn()

    play(story)
    assert chosen == [begin is Scene.relay]


def test_a_name_without_an_address_that_may_be_reached() -> None:
    async def story(scene: Scene) -> None:
        scene.addresses = OSError("other.example leads to a private or local address only")
        scene.relay()
        await turn()
        assert b"leads to a private or local address only" in scene.client.written

    play(story)


def test_an_address_that_may_not_be_reached_gets_no_byte() -> None:
    async def story(scene: Scene) -> None:
        scene.addresses = [("10.1.1.1", 443)]
        scene.relay(SSH)
        await turn()
        assert (scene.host.written, scene.host.closed) == (b"", "aborted")
        assert scene.client.written.startswith(b"HTTP/1.1 502 ")

    scene = play(story)
    (record,) = scene.log.of("tunnel")
    assert (record["decision"], record["reason"]) == ("deny", "address_not_allowed")


def test_a_client_that_leaves_meanwhile_ends_the_dial() -> None:
    async def story(scene: Scene) -> None:
        scene.hold_dials = True
        scene.relay()
        await turn()
        scene.client.cut()
        await turn()
        scene.release()
        await turn()
        assert (scene.hosts, scene.ended) == ([], 1)

    play(story)


# -- ends --------------------------------------------------------------------------------------------------------


def test_the_end_of_the_client_comes_after_its_bytes() -> None:
    def story(scene: Scene, relay: Relay) -> None:
        scene.client.receive(SSH)
        scene.client.receive_end()
        assert (scene.host.written, scene.host.closed, scene.client.closed) == (SSH, "closed", "closed")

    assert up(story).ended == 1


def test_the_end_of_the_host_comes_after_its_bytes() -> None:
    async def story(scene: Scene, relay: Relay) -> None:
        scene.host.receive(b"bye")
        scene.host.receive_end()
        assert (scene.client.written, scene.client.eof_written) == (b"bye", True)
        assert not scene.client.closed
        scene.client.receive(b"too late")
        scene.client.receive_end()
        await turn()
        assert scene.host.written == b""

    assert up(lambda scene, relay: story(scene, relay)).ended == 1


@pytest.mark.parametrize("side", ["client", "host"])
def test_a_reset_of_one_side_is_one_of_the_other(side: str) -> None:
    async def story(scene: Scene, relay: Relay) -> None:
        getattr(scene, side).cut()
        await turn()
        assert (scene.client.closed, scene.host.closed) == ("aborted", "aborted")

    assert up(lambda scene, relay: story(scene, relay)).ended == 1


def test_a_client_that_does_not_end_is_ended() -> None:
    def story(scene: Scene, relay: Relay) -> None:
        scene.client.fill(True)
        scene.host.receive_end()
        relay.look(100.0)
        relay.look(100.0 + LINGER)
        assert not scene.client.closed, "there is something left that it may take"
        relay.look(100.0 + scene.path.limits.stall)
        assert scene.client.closed == "aborted"

    up(story)


def test_a_host_that_takes_no_last_bytes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[tuple[float, Callable[[], None]]] = []

    async def story(scene: Scene, relay: Relay) -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_later", lambda seconds, call: later.append((seconds, call)))
        scene.host.fill(True)
        relay.end_closed(relay._client, True)
        assert scene.host.closed == "closed"
        ((seconds, call),) = later
        assert seconds == LAST
        call()
        assert scene.host.closed == "aborted"

    up(lambda scene, relay: story(scene, relay))


# -- time, drain, failures ---------------------------------------------------------------------------------------


def test_what_nothing_moves_on_is_ended_and_recorded() -> None:
    def story(scene: Scene, relay: Relay) -> None:
        relay.look(100.0)
        relay.look(106.0)
        scene.client.receive(b"\x00")
        relay.look(107.0)
        relay.look(113.0)
        scene.host.receive(b"x")
        relay.look(114.0)
        relay.look(120.9)
        assert not scene.client.closed
        relay.look(121.0)
        assert (scene.client.closed, scene.host.closed) == ("aborted", "aborted")

    scene = up(story, Scene(limits=Limits(idle=7.0)))
    (record,) = scene.log.of("timeout")
    assert (record["cause"], record["server_address"], record["server_port"]) == (
        "idle",
        "other.example",
        443,
    )
    assert scene.path.open == {}


def test_it_counts_as_busy_and_is_cut_at_the_end() -> None:
    async def story(scene: Scene, relay: Relay) -> None:
        assert await relay.is_busy(late=True)
        relay.close_idle()
        assert (scene.client.closed, scene.host.closed) == ("aborted", "aborted")

    up(lambda scene, relay: story(scene, relay))


@pytest.mark.parametrize(
    "part", ["end_received", "end_closed", "end_full", "host_received", "host_closed", "host_full", "look"]
)
def test_whatever_raises_ends_both_sides(
    part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def story(scene: Scene, relay: Relay) -> None:
        if part == "look":
            monkeypatch.setattr(relay, "_patience", None)
        else:
            monkeypatch.setattr(relay, part, broken)
        side = scene.client if part.startswith("end") else scene.host
        if part == "look":
            relay.look(1.0)
        elif part.endswith("full"):
            side.fill(True)
        elif part.endswith("closed"):
            side.receive_end()
        else:
            side.receive(b"x")
        assert (scene.client.closed, scene.host.closed) == ("aborted", "aborted")

    assert up(story).ended == 1
    assert "dapi-secret" not in caplog.text
    assert "the connection was closed" in caplog.text


ACTS = st.one_of(
    st.tuples(st.just("client"), st.binary(min_size=1, max_size=50)),
    st.tuples(st.just("host"), st.binary(min_size=1, max_size=50)),
    st.sampled_from(
        [("fill client", b""), ("empty client", b""), ("fill host", b""), ("empty host", b""), ("turn", b"")]
    ),
)
LAST_ACTS = st.sampled_from(["client ends", "host ends", "client resets", "host resets", "drain"])


@settings(max_examples=examples(300))
@given(st.lists(ACTS, max_size=30), LAST_ACTS)
def test_any_order_of_events_loses_adds_and_reorders_nothing(
    acts: list[tuple[str, bytes]], last: str
) -> None:
    sent = {"client": b"\x00", "host": b""}

    async def story(scene: Scene, relay: Relay) -> None:
        scene.client.receive(b"\x00")  # so that nothing that follows is looked at
        for act, data in acts:
            word, _, side = act.partition(" ")
            if word in ("fill", "empty"):
                getattr(scene, side).fill(word == "fill")
            elif word == "turn":
                await turn(1)
            elif getattr(scene, word).receive(data):
                sent[word] += data
        assert (scene.host.written, scene.client.written) == (sent["client"], sent["host"])
        assert scene.client.paused is scene.host.full
        assert scene.host.paused is scene.client.full
        side, _, how = last.partition(" ")
        if last == "drain":
            relay.abort()
        elif not (getattr(scene, side).receive_end() if how == "ends" else getattr(scene, side).cut()):
            getattr(scene, side).cut()
        await turn()
        scene.client.cut()
        await turn()
        assert scene.client.closed
        assert scene.host.closed

    scene = up(lambda scene, relay: story(scene, relay))
    assert scene.ended == 1
    assert scene.path.open == {}
