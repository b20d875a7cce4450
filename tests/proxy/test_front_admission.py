"""Who may open a connection: passwords, networks, and the word of a balancer."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from by_hand import HOST, PretendedTransport, broken, turn
from front_door import (
    CONNECT,
    LINE,
    PLAIN,
    Begun,
    Called,
    Door,
    Relayed,
    answered,
    client_hello,
    connect,
    within_a_loop,
)
from mitmproxy import ctx

from brickscope.proxy.denial import ESTABLISHED
from brickscope.proxy.front import Front

pytestmark = pytest.mark.usefixtures("stand_ins")

# -- passwords ---------------------------------------------------------------------------------------------------


async def until(found: Callable[[], Any]) -> None:
    """Wait for what another thread brings about."""
    while not found():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.001)


def basic(pair: str) -> str:
    return f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}"


@pytest.fixture
def htpasswd(tmp_path: Path) -> str:
    file = tmp_path / "htpasswd"
    digest = b64encode(sha1(b"secret", usedforsecurity=False).digest()).decode()
    file.write_text(f"me:{{SHA}}{digest}\n")
    return f"@{file}"


ACCEPTED = {
    "its own": ("me:secret", (basic("me:secret"),), True),
    "in another case": ("me:secret", (basic("me:secret").replace("Basic", "bASIC"),), True),
    "any": ("any", (basic("x:y"),), True),
    "of a file": ("file", (basic("me:secret"),), True),
    "none": ("me:secret", (), False),
    "none, where any will do": ("any", (), False),
    "another": ("me:secret", (basic("me:wrong"),), False),
    "another user's": ("me:secret", (basic("you:secret"),), False),
    "another than the file's": ("file", (basic("me:wrong"),), False),
    "a bearer": ("me:secret", ("Proxy-Authorization: Bearer secret",), False),
    "no base64": ("any", ("Proxy-Authorization: Basic !",), False),
    "one without a colon": ("any", ("Proxy-Authorization: Basic eA==",), False),
    "two": ("me:secret", (basic("me:secret"), basic("me:secret")), False),
    "for a host": ("any", (basic("x:y").removeprefix("Proxy-"),), False),
}


@pytest.mark.parametrize("target", [f"{HOST}:443", "example.com:443", PLAIN])
@pytest.mark.parametrize(("option", "lines", "accepted"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_password_is_asked_for(
    option: str, lines: tuple[str, ...], accepted: bool, target: str, htpasswd: str, stand_ins: Any
) -> None:
    stand_ins.update(proxyauth=htpasswd if option == "file" else option)

    async def run() -> None:
        door = Door()
        raw = connect(target, *lines, method="GET" if target == PLAIN else "CONNECT")
        door.send(raw)
        assert door.transport.paused, "more is not read meanwhile"
        assert not door.transport.written
        await until(lambda: door.transport.written or Relayed.made or Called.made)
        assert not door.transport.paused
        if not accepted:
            head, body = answered(door)
            assert head.startswith(b"HTTP/1.1 407 Proxy Authentication Required\r\n")
            assert b'\r\nproxy-authenticate: Basic realm="mitmproxy"\r\n' in head
            assert b"secret" not in head + body
            assert door.log.records == []
        elif target == PLAIN:
            assert b"roxy" not in Called.made[0].admitted.plain.head
        elif target.startswith(HOST):
            assert door.transport.written == ESTABLISHED
        else:
            assert Relayed.made

    asyncio.run(run())


def test_a_directory_that_is_slow_keeps_nobody_else_waiting(stand_ins: Any) -> None:
    stand_ins.update(proxyauth="any")
    asked, go = threading.Event(), threading.Event()

    def slow(user: str, password: str) -> bool:
        asked.set()
        return go.wait(10)

    async def run() -> None:
        ctx.master.addons.get("proxyauth").validator = slow
        try:
            door, gone = Door(), Door()
            for each in (door, gone):
                each.send(connect("example.com:443", basic("x:y")))
            await asyncio.to_thread(asked.wait, 10)
            gone.front.look(100.0)
            gone.front.look(110.0)
            assert gone.transport.closed == "aborted"
        finally:
            go.set()
        await until(lambda: Relayed.made)
        await turn(5)
        assert len(Relayed.made) == 1, "who has left gets none"

    asyncio.run(run())


def test_one_client_that_guesses_passwords_keeps_nobody_else_waiting(stand_ins: Any) -> None:
    """One at a time are looked at, and each can take a tenth of a second: hundreds from one client were looked at first."""
    stand_ins.update(proxyauth="any")
    asked: list[str] = []

    def validator(user: str, password: str) -> bool:
        asked.append(user)
        return user == "good"

    async def run() -> None:
        ctx.master.addons.get("proxyauth").validator = validator
        for index in range(50):
            Door(("192.0.2.9", index + 1)).send(connect("example.com:443", basic(f"guess-{index}:y")))
        Door().send(connect("example.com:443", basic("good:y")))
        await until(lambda: Relayed.made)
        assert asked.index("good") < 3
        await until(lambda: len(asked) == 51)

    asyncio.run(run())


def test_a_validator_that_raises_accepts_nobody(stand_ins: Any) -> None:
    stand_ins.update(proxyauth="any")

    async def run() -> None:
        ctx.master.addons.get("proxyauth").validator = broken
        door = Door()
        door.send(connect(f"{HOST}:443", basic("x:y")))
        await until(lambda: door.transport.written)
        assert door.transport.written.startswith(b"HTTP/1.1 407 ")

    asyncio.run(run())


# -- who may come ------------------------------------------------------------------------------------------------


def test_public_clients_are_kept_out_as_the_engine_does_it(stand_ins: Any) -> None:
    def story() -> None:
        door = Door(("8.8.8.8", 4000))
        door.send(CONNECT)
        assert (door.transport.closed, door.transport.written) == ("aborted", b"")
        stand_ins.update(block_global=False)
        door = Door(("8.8.8.8", 4000))
        door.send(CONNECT)
        assert door.transport.written == ESTABLISHED
        stand_ins.update(block_private=True)
        door = Door(("10.9.9.9", 4000))
        door.send(CONNECT)
        assert door.transport.closed == "aborted"

    within_a_loop(story)


@pytest.mark.parametrize("step", [0, 1])
def test_a_balancer_says_who_the_client_is(step: int) -> None:
    def story() -> None:
        door = Door(("192.0.2.1", 4000), ("192.0.2.0/24",))
        door.send(LINE + CONNECT, step)
        assert door.transport.written == ESTABLISHED
        door.send(client_hello())
        assert Begun.made[0].visitor.address == "10.7.7.7"

    within_a_loop(story)


def test_a_balancers_word_goes_along_to_a_relay() -> None:
    def story() -> None:
        Door(("192.0.2.1", 4000), ("192.0.2.0/24",)).send(LINE + connect("example.com:443"))
        assert Relayed.made[0].visitor.address == "10.7.7.7"

    within_a_loop(story)


def test_nobody_elses_word_is_taken() -> None:
    def story() -> None:
        door = Door(("192.0.2.1", 4000))
        door.send(LINE + CONNECT)
        assert door.log.of("decision")[0]["reason"] == "malformed_head"
        assert door.log.of("decision")[0]["client_address"] == "192.0.2.1"

    within_a_loop(story)


def refused(door: Door, words: str) -> None:
    (record,) = door.log.of("tunnel")
    assert record["reason"] == "proxy_header_refused"
    assert words in record["detail"]
    assert door.transport.closed == "aborted"


def test_a_balancer_without_a_header_is_closed_and_recorded() -> None:
    def story() -> None:
        door = Door(balancers=("192.0.2.0/24",))
        door.send(CONNECT)
        refused(door, "does not begin with a PROXY header")
        door = Door(balancers=("192.0.2.0/24",))
        door.send(LINE[:10])
        door.front.end.eof_received()
        refused(door, "ended within the PROXY header")
        door = Door(balancers=("192.0.2.0/24",))
        door.front.look(0.0)
        door.front.look(4.9)
        assert not door.log.records
        door.front.look(5.0)
        refused(door, "within 5 seconds")

    within_a_loop(story)


def test_a_look_at_the_port_leaves_no_record() -> None:
    def story() -> None:
        door = Door(balancers=("192.0.2.0/24",))
        door.front.end.eof_received()
        door.transport.close()
        assert door.log.records == []

    within_a_loop(story)


def test_a_connection_without_an_address_is_closed() -> None:
    def story() -> Door:
        return Door(("", 0))

    def broken() -> Door:
        door = Door()
        door.transport = PretendedTransport(None)  # type: ignore[arg-type]
        front = Front(door.scene.path, (), door._end)
        door.transport.protocol = front.end
        front.end.connection_made(door.transport)
        assert door.transport.closed == "aborted"
        return door

    door = within_a_loop(broken)
    assert door.ended == 1
