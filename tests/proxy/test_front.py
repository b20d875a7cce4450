"""The first bytes of a connection: what is ours, what is handed over unread, and what is waited for no longer."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from by_hand import HOST, PretendedTransport, Scene, turn
from mitmproxy.addons.block import Block
from mitmproxy.test import taddons

from brickscope.core.head import MAX_HEAD
from brickscope.proxy import engine as engine_module
from brickscope.proxy import front as front_module
from brickscope.proxy.deadlines import Limits
from brickscope.proxy.front import ESTABLISHED, Front
from brickscope.proxy.hello import HelloReader
from client_hello import client_hello as hello_of

CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\nUser-Agent: x\r\n\r\n".encode()


def client_hello(name: str | None = HOST, alpn: tuple[str, ...] = ("http/1.1",)) -> bytes:
    """As most clients of a workspace send it."""
    return hello_of(name, alpn)


class HandedOver:
    """In the place of the engine's path."""

    made: list[HandedOver]

    def __init__(self, mode: Any, client: Any, server: Any, on_end: Callable[[], None]) -> None:
        self.client, self.server, self.on_end = client, server, on_end
        HandedOver.made.append(self)

    def begin(self, transport: Any, received: bytes, *, answered: bool) -> None:
        self.received, self.answered = received, answered


class Begun:
    """In the place of a tunnel."""

    made: list[Begun]

    def __init__(self, path: Any, visitor: Any, on_end: Callable[[], None]) -> None:
        self.visitor, self.on_end = visitor, on_end
        Begun.made.append(self)

    def begin(self, transport: Any, hello: bytes) -> None:
        self.hello = hello


class Door:
    """A connection that was just accepted."""

    def __init__(self, peer: tuple[str, int] = ("192.0.2.1", 4000), balancers: tuple[str, ...] = ()) -> None:
        self.scene = Scene(limits=Limits())
        self.transport = PretendedTransport(peer)
        self.listener: Any = SimpleNamespace(
            open={}, balancers=tuple(map(ipaddress.ip_network, balancers)), mode="regular"
        )
        self.ended = 0
        self.front = Front(self.listener, self.scene.path, self._end)
        self.transport.protocol = self.front
        self.front.connection_made(self.transport)

    def _end(self) -> None:
        self.ended += 1

    def send(self, data: bytes, step: int = 0) -> None:
        for start in range(0, len(data), step or len(data) or 1):
            if self.transport.closed or HandedOver.made or Begun.made:
                return
            self.front.data_received(data[start : start + (step or len(data))])

    @property
    def log(self) -> Any:
        return self.scene.log


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Any:
    HandedOver.made, Begun.made = [], []
    monkeypatch.setattr(front_module, "EngineConnection", HandedOver)
    monkeypatch.setattr(front_module, "Tunnel", Begun)
    with taddons.context(Block()) as context:
        context.options.add_option("proxyauth", str | None, None, "")
        yield context.options


def within_a_loop(story: Callable[[], Any]) -> Any:
    async def run() -> Any:
        found = story()
        await turn(3)
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("step", [0, 1, 7])
def test_a_tunnel_to_a_host_under_policy_is_ours(step: int) -> None:
    hello = client_hello()

    def story() -> None:
        door = Door()
        door.send(CONNECT, step)
        assert door.transport.written == ESTABLISHED
        door.send(hello, step)
        (tunnel,) = Begun.made
        assert tunnel.hello == hello
        assert tunnel.visitor[:4] == ("192.0.2.1", HOST, 443, HOST)
        assert door.listener.open == {door.transport: tunnel}
        tunnel.on_end()
        assert (door.listener.open, door.ended) == ({}, 1)

    within_a_loop(story)


OURS = {
    "the usual one": CONNECT,
    "without Host": f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode(),
    "in capitals": CONNECT.replace(HOST.encode(), HOST.upper().encode()),
    "with a trailing dot": f"CONNECT {HOST}.:443 HTTP/1.1\r\n\r\n".encode(),
    "with a password for another proxy": CONNECT[:-2] + b"Proxy-Authorization: Basic eDp5\r\n\r\n",
}


@pytest.mark.parametrize("raw", OURS.values(), ids=OURS)
def test_every_spelling_of_a_host_under_policy_is_ours(raw: bytes) -> None:
    def story() -> None:
        door = Door()
        door.send(raw)
        assert door.transport.written == ESTABLISHED

    within_a_loop(story)


def connect(
    target: str = f"{HOST}:443", *lines: str, method: str = "CONNECT", version: str = "HTTP/1.1"
) -> bytes:
    return "\r\n".join([f"{method} {target} {version}", *lines, "", ""]).encode("latin-1")


THEIRS = {
    "another host": connect("example.com:443"),
    "another port": connect(f"{HOST}:8443"),
    "no port": connect(HOST),
    "a port in another spelling": connect(f"{HOST}:0443"),
    "another cloud": connect("adb-1.2.azuredatabricks.net:443"),
    "an address": connect("127.0.0.1:443"),
    "an IPv6 address": connect("[::1]:443"),
    "8-bit bytes": connect("\xe9.cloud.databricks.com:443"),
    "a user": connect(f"u@{HOST}:443"),
    "a path": connect(f"{HOST}/x:443"),
    "small letters": connect(method="connect"),
    "mixed letters": connect(method="Connect"),
    "HTTP/1.0": connect(version="HTTP/1.0"),
    "two blanks": connect(method="CONNECT "),
    "a bare line feed": connect().replace(b"\r\n\r\n", b"\n\n"),
    "a bare line feed after the first line": connect(f"{HOST}:443", "X: y").replace(b"\r\nX", b"\nX"),
    "a fold": connect(f"{HOST}:443", "X: y", " z"),
    "a control character": connect(f"{HOST}:443", "X: \x01"),
    "a length": connect(f"{HOST}:443", "Content-Length: 5"),
    "chunks": connect(f"{HOST}:443", "Transfer-Encoding: chunked"),
    "an upgrade": connect(f"{HOST}:443", "upgrade: x"),
    "an Expect": connect(f"{HOST}:443", "Expect: 100-continue"),
    "bytes sent ahead": CONNECT + b"x",
    "a leading line end": b"\r\n" + CONNECT,
    "a plain request": connect("http://example.com/", method="GET"),
    "TLS": b"\x16\x03\x01\x02\x00\x01",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "too long a head": b"CONNECT " + b"x" * MAX_HEAD,
}


@pytest.mark.parametrize("raw", THEIRS.values(), ids=THEIRS)
def test_everything_else_is_handed_over_unread(raw: bytes) -> None:
    def story() -> None:
        door = Door()
        door.send(raw)
        (engine,) = HandedOver.made
        assert (engine.received, engine.answered, engine.client) == (raw, False, ("192.0.2.1", 4000))
        assert door.transport.written == b""
        assert door.listener.open == {door.transport: engine}
        engine.on_end()
        assert (door.listener.open, door.ended) == ({}, 1)

    within_a_loop(story)


def test_everything_is_handed_over_where_clients_have_a_password(stand_ins: Any) -> None:
    stand_ins.update(proxyauth="any")

    def story() -> None:
        Door().send(CONNECT)
        assert HandedOver.made[0].received == CONNECT

    within_a_loop(story)


OFFERS: dict[str, tuple[str, ...]] = {
    "HTTP/1.1": ("http/1.1",),
    "both": ("h2", "http/1.1"),
    "both, the other way": ("http/1.1", "h2"),
    "nothing": (),
    "something else": ("spdy/3",),
    "HTTP/2 only": ("h2",),
}


@pytest.mark.parametrize("alpn", OFFERS.values(), ids=OFFERS)
def test_what_a_client_offers_goes_along(alpn: tuple[str, ...]) -> None:
    hello = client_hello(alpn=alpn)

    def story() -> None:
        door = Door()
        door.send(CONNECT)
        door.send(hello)
        (tunnel,) = Begun.made
        assert tunnel.visitor.offers == tuple(name.encode() for name in alpn)
        assert HandedOver.made == []

    within_a_loop(story)


@pytest.mark.parametrize("name", [None, "example.com"])
def test_the_server_name_goes_along(name: str | None) -> None:
    def story() -> None:
        door = Door()
        door.send(CONNECT)
        door.send(client_hello(name))
        assert Begun.made[0].visitor.server_name == name

    within_a_loop(story)


NO_TLS = {
    "plain HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "an alert": b"\x15\x03\x01\x00\x02\x01\x00",
    "SSLv2": b"\x80\x2e\x01\x00\x02" + b"\x00" * 44,
    "a record of nothing": b"\x16\x03\x01\x00\x00",
    "another record in between": b"\x16\x03\x01\x00\x01\x01" + b"\x17\x03\x01\x00\x01\x00",
    "a hello that is none": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff",
    "another version": b"\x16\x07\x01\x00\x05\x01\x00\x00\x01\xff",
    "one that does not end": (b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"x" * (16384 - 4)) * 5,
}


@pytest.mark.parametrize("step", [0, 1000])
@pytest.mark.parametrize("raw", NO_TLS.values(), ids=NO_TLS)
def test_what_is_not_tls_is_closed_and_recorded(raw: bytes, step: int) -> None:
    def story() -> None:
        door = Door()
        door.send(CONNECT)
        door.send(raw, step)
        assert door.transport.closed == "aborted"
        (record,) = door.log.of("tunnel")
        assert (record["reason"], record["server_address"]) == ("not_tls", HOST)
        assert Begun.made == HandedOver.made == []
        door.front.data_received(b"more")
        assert len(door.log.of("tunnel")) == 1

    within_a_loop(story)


def test_a_client_hello_may_come_in_many_records() -> None:
    hello = client_hello()
    message = hello[5:]
    records = b"".join(
        b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece
        for piece in (message[start : start + 20] for start in range(0, len(message), 20))
    )

    def story() -> None:
        door = Door()
        door.send(CONNECT)
        door.send(records, 3)
        assert Begun.made[0].hello == records

    within_a_loop(story)


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


LINE = b"PROXY TCP4 10.7.7.7 10.0.0.1 4000 8080\r\n"


@pytest.mark.parametrize("step", [0, 1])
def test_a_balancer_says_who_the_client_is(step: int) -> None:
    def story() -> None:
        door = Door(("192.0.2.1", 4000), ("192.0.2.0/24",))
        door.send(LINE + CONNECT, step)
        assert door.transport.written == ESTABLISHED
        door.send(client_hello())
        assert Begun.made[0].visitor.address == "10.7.7.7"

    within_a_loop(story)


def test_a_balancers_word_goes_along_to_the_engine() -> None:
    def story() -> None:
        Door(("192.0.2.1", 4000), ("192.0.2.0/24",)).send(LINE + THEIRS["another host"])
        (engine,) = HandedOver.made
        assert (engine.client, engine.received) == (("10.7.7.7", 4000), THEIRS["another host"])

    within_a_loop(story)


def test_nobody_elses_word_is_taken() -> None:
    def story() -> None:
        Door(("192.0.2.1", 4000)).send(LINE + CONNECT)
        assert HandedOver.made[0].received == LINE + CONNECT

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
        door.front.eof_received()
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
        door.front.eof_received()
        door.transport.close()
        assert door.log.records == []

    within_a_loop(story)


def test_a_connection_without_an_address_is_closed() -> None:
    def story() -> Door:
        return Door(("", 0))

    def broken() -> Door:
        door = Door()
        door.transport = PretendedTransport(None)  # type: ignore[arg-type]
        front = Front(door.listener, door.scene.path, door._end)
        door.transport.protocol = front
        front.connection_made(door.transport)
        assert door.transport.closed == "aborted"
        return door

    door = within_a_loop(broken)
    assert door.ended == 1


# -- time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"C", CONNECT[:-1]], ids=["nothing", "a byte", "nearly all"])
def test_connect_is_waited_for_only_so_long(sent: bytes) -> None:
    def story() -> None:
        door = Door()
        door.send(sent)
        door.front.look(100.0)
        door.send(b"")
        door.front.look(109.0)
        assert not door.transport.closed
        door.front.look(110.0)
        assert door.transport.closed == "aborted"
        (record,) = door.log.of("timeout")
        assert (record["cause"], record["seconds"], record["server_address"]) == ("handshake", 10.0, "")
        door.front.look(120.0)
        assert len(door.log.records) == 1

    within_a_loop(story)


def test_the_hello_has_a_time_of_its_own() -> None:
    def story() -> None:
        door = Door()
        door.front.look(100.0)
        door.send(CONNECT)
        door.front.look(109.0)
        door.send(b"\x16")
        door.front.look(118.0)
        assert not door.transport.closed
        door.front.look(119.0)
        (record,) = door.log.of("timeout")
        assert (record["cause"], record["server_address"]) == ("handshake", HOST)

    within_a_loop(story)


# -- ends, and whatever raises -----------------------------------------------------------------------------------


def test_a_connection_that_ends_by_itself_is_forgotten() -> None:
    def story() -> Door:
        door = Door()
        assert len(door.listener.open) == 1
        door.send(CONNECT)
        door.transport.close()
        return door

    door = within_a_loop(story)
    assert (door.listener.open, door.ended) == ({}, 1)
    assert door.scene.path.deadlines._watched == set()


def test_nothing_is_under_way_yet() -> None:
    def story() -> Door:
        door = Door()
        door.front.close_idle()
        return door

    door = within_a_loop(story)
    assert (door.transport.closed, door.ended, door.front.hosts) == ("closed", 1, 0)
    assert not asyncio.run(door.front.is_busy(late=True))


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("dapi-secret")


RAISING: dict[str, tuple[Any, str, bytes]] = {
    "connection_made": (front_module, "peer_address", b""),
    "the header": (front_module, "read_header", LINE),
    "CONNECT": (Front, "_find_host", CONNECT),
    "the check of clients": (Front, "_is_blocked", CONNECT),
    "the hello": (HelloReader, "is_whole", CONNECT),
    "the tunnel": (Begun, "__init__", CONNECT),
    "the tunnel's begin": (Begun, "begin", CONNECT),
    "the engine": (HandedOver, "begin", THEIRS["another host"]),
    "the record": (Front, "_refuse_tls", CONNECT),
}


@pytest.mark.parametrize(("owner", "name", "sent"), RAISING.values(), ids=RAISING)
def test_whatever_raises_closes_the_connection(
    owner: Any, name: str, sent: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(owner, name, broken)

    def story() -> Door:
        door = Door(balancers=("192.0.2.0/24",) if sent == LINE else ())
        door.send(sent)
        if sent == CONNECT and not door.transport.closed:
            door.send(b"GET /" if name == "_refuse_tls" else client_hello())
        return door

    door = within_a_loop(story)
    assert door.transport.closed == "aborted"
    assert (door.ended, door.listener.open) == (1, {})
    assert "dapi-secret" not in caplog.text
    if owner is HelloReader:
        assert door.log.of("tunnel")[0]["reason"] == "not_tls"  # what the parser stumbles over
    else:
        assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("callback", ["eof_received", "look", "connection_lost"])
def test_whatever_raises_at_the_end_closes_it_as_well(
    callback: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Door:
        door = Door(balancers=("192.0.2.0/24",))
        door.send(LINE[:5])
        if callback == "connection_lost":
            monkeypatch.setattr(Front, "_serves", property(broken), raising=False)
            door.front.connection_lost(None)
        else:
            monkeypatch.setattr(Front, "_refuse_header", broken)
            door.front.look(0.0)
            getattr(door.front, callback)(*((99.0,) if callback == "look" else ()))
        return door

    door = within_a_loop(story)
    assert door.transport.closed == "aborted"
    assert "RuntimeError" in caplog.text


# -- the engine's path -------------------------------------------------------------------------------------------


class Written(asyncio.Transport):
    """A transport for a real StreamWriter."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.data += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize("step", [0, 1, 5])
def test_the_second_answer_to_connect_goes_no_further(step: int) -> None:
    async def run() -> bytes:
        transport = Written()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        writer = engine_module.AnsweredWriter(transport, protocol, reader, asyncio.get_running_loop())
        data = ESTABLISHED + b"server hello"
        for start in range(0, len(data), step or len(data)):
            writer.write(data[start : start + (step or len(data))])
        writer.write(b", and more")
        transport.aborted = True
        return transport.data

    assert asyncio.run(run()) == b"server hello, and more"


def test_if_the_engine_refuses_after_all_the_connection_ends() -> None:
    async def run() -> Written:
        transport = Written()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        writer = engine_module.AnsweredWriter(transport, protocol, reader, asyncio.get_running_loop())
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        return transport

    transport = asyncio.run(run())
    assert (transport.data, transport.aborted) == (b"", True)
