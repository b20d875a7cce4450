"""The first bytes of a connection: who serves it, what is refused, and what is waited for no longer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from by_hand import HOST, broken
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

from brickscope.core.head import MAX_HEAD
from brickscope.proxy import front as front_module
from brickscope.proxy.denial import ESTABLISHED
from brickscope.proxy.front import Front
from brickscope.proxy.gate import Gate
from brickscope.proxy.hello import HelloReader
from brickscope.proxy.tls import LINGER_BYTES

pytestmark = pytest.mark.usefixtures("stand_ins")


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
        assert door.scene.path.open == {door.transport: tunnel}
        tunnel.on_end()
        assert (door.scene.path.open, door.ended) == ({}, 1)

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


OTHERS = {
    "another host": (connect("example.com:443"), "example.com", 443),
    "another port of it": (connect("example.com:22"), "example.com", 22),
    "HTTP/1.0, as older Python sends it": (
        connect("example.com:443", version="HTTP/1.0"),
        "example.com",
        443,
    ),
    "capitals": (connect("EXAMPLE.com:443"), "example.com", 443),
    "no length, given as one": (connect("example.com:443", "Content-Length: 0"), "example.com", 443),
    "bytes sent ahead": (connect("example.com:443") + b"x", "example.com", 443),
    "one of an allowed network": (connect("10.8.0.1:443"), "10.8.0.1", 443),
    "an IPv6 address of one": (connect("[fd00::1]:443"), "fd00::1", 443),
}


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(("raw", "host", "port"), OTHERS.values(), ids=OTHERS)
def test_a_tunnel_to_another_host_is_relayed(raw: bytes, host: str, port: int, step: int) -> None:
    def story() -> None:
        door = Door(networks=("10.8.0.0/16", "fd00::/8"))
        door.send(raw, step)
        (relay,) = Relayed.made
        visitor = relay.visitor
        assert (visitor.address, visitor.dialled, visitor.port) == ("192.0.2.1", host, port)
        assert relay.ahead == (b"x" if raw.endswith(b"x") and step != 1 else b"")
        assert door.transport.written == b"", "the tunnel is answered when the host is there"
        assert door.scene.path.open == {door.transport: relay}
        (record,) = door.log.of("tunnel")
        assert (record["decision"], record["reason"]) == ("allow", "other_host")
        relay.on_end()
        assert (door.scene.path.open, door.ended) == ({}, 1)

    within_a_loop(story)


def test_what_follows_connect_is_the_hello() -> None:
    hello = client_hello()

    def story() -> None:
        door = Door()
        door.send(CONNECT + hello)
        assert door.transport.written == ESTABLISHED
        assert Begun.made[0].hello == hello

    within_a_loop(story)


CALLS = {
    "a path": (connect(PLAIN, "Host: example.com", method="GET"), "GET /a?b HTTP/1.1", "example.com", 80),
    "no path": (connect("http://example.com", method="GET"), "GET / HTTP/1.1", "example.com", 80),
    "a query alone": (connect("HTTP://example.com?q", method="GET"), "GET /?q HTTP/1.1", "example.com", 80),
    "a port": (connect("http://example.com:81/", method="PUT"), "PUT / HTTP/1.1", "example.com:81", 81),
}


@pytest.mark.parametrize(("raw", "first", "authority", "port"), CALLS.values(), ids=CALLS)
def test_a_request_in_the_clear_goes_to_its_host(raw: bytes, first: str, authority: str, port: int) -> None:
    def story() -> None:
        door = Door()
        door.send(raw)
        (call,) = Called.made
        target, plain = call.admitted.target, call.admitted.plain
        assert (target.host, target.port) == ("example.com", port)
        assert plain.head.decode() == f"{first}\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        assert call.received == raw
        (record,) = door.log.of("tunnel")
        assert (record["reason"], record["decision_id"]) == ("other_host", call.admitted.decision_id)

    within_a_loop(story)


def test_what_is_for_the_proxy_alone_goes_no_further() -> None:
    lines = (
        *("Proxy-Authorization: Basic eDp5", "Proxy-Connection: keep-alive", "Keep-Alive: timeout=5"),
        *("Connection: X-Hop, keep-alive", "X-Hop: 1", "TE: trailers", "X-Kept: 1", "Content-Length: 3"),
    )

    def story() -> None:
        door = Door()
        door.send(connect(PLAIN, *lines, method="POST") + b"abc")
        plain = Called.made[0].admitted.plain
        _, *kept = plain.head.decode().split("\r\n")
        assert kept == ["Host: example.com", "X-Kept: 1", "Content-Length: 3", "Connection: close", "", ""]
        assert plain.announced.length == 3

    within_a_loop(story)


REFUSED = {
    "another port of a workspace": (connect(f"{HOST}:8443"), "port_not_allowed"),
    "no port": (connect(HOST), "malformed_head"),
    "a port in another spelling": (connect(f"{HOST}:0443"), "malformed_head"),
    "a port that is none": (connect("example.com:65536"), "malformed_head"),
    "another cloud": (connect("adb-1.2.azuredatabricks.net:443"), "host_not_in_scope"),
    "an address": (connect("127.0.0.1:443"), "address_not_allowed"),
    "an address in hexadecimal": (connect("0x7f000001:443"), "address_not_allowed"),
    "an IPv6 address": (connect("[::1]:443"), "address_not_allowed"),
    "8-bit bytes": (connect("\xe9.cloud.databricks.com.x:443"), "host_not_canonical"),
    "a user": (connect(f"u@{HOST}:443"), "malformed_head"),
    "a path": (connect(f"{HOST}/x:443"), "malformed_head"),
    "small letters": (connect(method="connect"), "method_not_canonical"),
    "mixed letters": (connect(method="Connect"), "method_not_canonical"),
    "HTTP/2.0": (connect(version="HTTP/2.0"), "malformed_head"),
    "a length": (connect(f"{HOST}:443", "Content-Length: 5"), "malformed_head"),
    "chunks": (connect(f"{HOST}:443", "Transfer-Encoding: chunked"), "malformed_head"),
    "a workspace in the clear": (connect(f"http://{HOST}/", method="GET"), "not_encrypted"),
    "a workspace, by https": (connect(f"https://{HOST}/", method="GET"), "not_encrypted"),
    "a workspace, with a user": (connect(f"http://u@{HOST}/", method="GET"), "not_encrypted"),
    "a workspace of another cloud": (
        connect("http://adb-1.2.azuredatabricks.net/", method="GET"),
        "not_encrypted",
    ),
    "a path, and a workspace's Host": (connect("/", f"Host: {HOST}", method="GET"), "not_encrypted"),
    "another URL, and a workspace's Host": (
        connect(PLAIN, f"Host: {HOST}", method="GET"),
        "not_encrypted",
    ),
    "a path in the clear": (connect("/", "Host: example.com", method="GET"), "malformed_head"),
    "an asterisk": (connect("*", method="OPTIONS"), "malformed_head"),
    "https in the clear": (connect("https://example.com/", method="GET"), "malformed_head"),
    "a user in the clear": (connect("http://u:p@example.com/", method="GET"), "malformed_head"),
    "a fragment": (connect("http://example.com/#x", method="GET"), "malformed_head"),
    "HTTP/1.0 in the clear": (connect(PLAIN, method="GET", version="HTTP/1.0"), "malformed_head"),
    "another Host": (connect(PLAIN, "Host: example.org", method="GET"), "host_mismatch"),
    "two Hosts": (connect(PLAIN, "Host: example.com", "Host: example.com", method="GET"), "host_mismatch"),
    "an upgrade": (connect(PLAIN, "Upgrade: websocket", method="GET"), "upgrade_refused"),
    "two lengths": (
        connect(PLAIN, "Content-Length: 1", "Content-Length: 1", method="PUT"),
        "malformed_head",
    ),
    "a length and chunks": (
        connect(PLAIN, "Content-Length: 1", "Transfer-Encoding: chunked", method="PUT"),
        "malformed_head",
    ),
    "a length that Connection names": (
        connect(PLAIN, "Content-Length: 1", "Connection: content-length", method="PUT"),
        "malformed_head",
    ),
    "an address in the clear": (connect("http://169.254.169.254/", method="GET"), "address_not_allowed"),
}
IRREGULAR = {
    "two blanks": connect(method="CONNECT "),
    "a bare line feed": connect().replace(b"\r\n\r\n", b"\n\n"),
    "a bare line feed after the first line": connect(f"{HOST}:443", "X: y").replace(b"\r\nX", b"\nX"),
    "a fold": connect(f"{HOST}:443", "X: y", " z"),
    "a control character": connect(f"{HOST}:443", "X: \x01"),
    "a leading line end": b"\r\n" + CONNECT,
    "no HTTP at all": b"SSH-2.0-x\r\n\r\n",
    "too long a head": b"CONNECT " + b"x" * MAX_HEAD,
}


@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize(("raw", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_be_is_refused_with_words(raw: bytes, reason: str, step: int) -> None:
    def story() -> None:
        door = Door()
        door.send(raw, step)
        head, body = answered(door)
        assert head.startswith(b"HTTP/1.1 403 ")
        assert reason.encode() in body
        (record,) = door.log.of("tunnel")
        assert (record["decision"], record["reason"]) == ("deny", reason)

    within_a_loop(story)


def test_a_refusal_in_the_clear_says_what_was_asked() -> None:
    def story() -> None:
        door = Door()
        door.send(connect(f"http://{HOST}/?token=x", method="DELETE"))
        said = json.loads(answered(door)[1])
        assert f"Brickscope refused DELETE {HOST}:80: " in said["message"]
        assert said["details"][0]["metadata"]["method"] == "DELETE"
        assert "token" not in str(said)

    within_a_loop(story)


@pytest.mark.parametrize("raw", IRREGULAR.values(), ids=IRREGULAR)
def test_what_is_not_regular_is_refused_unread(raw: bytes) -> None:
    def story() -> None:
        door = Door()
        door.send(raw)
        head, body = answered(door)
        assert head.startswith(b"HTTP/1.1 403 ")
        (record,) = door.log.of("decision")
        assert record["reason"] in ("malformed_head", "too_large")
        assert record["reason"].encode() in body

    within_a_loop(story)


def test_tls_with_the_proxy_itself_is_closed() -> None:
    def story() -> None:
        door = Door()
        door.send(b"\x16\x03\x01\x02\x00\x01")
        assert (door.transport.closed, door.transport.written, door.log.records) == ("aborted", b"", [])

    within_a_loop(story)


def test_other_hosts_may_be_closed() -> None:
    def story() -> None:
        for raw in (connect("example.com:443"), connect(PLAIN, method="GET")):
            door = Door()
            door.scene.gate.destinations.relay_other_hosts = False
            door.send(raw)
            assert b"other_host" in answered(door)[1]

    within_a_loop(story)


def test_what_comes_after_a_refusal_is_dropped_for_a_moment() -> None:
    def story() -> None:
        door = Door()
        door.send(connect(f"{HOST}:8443"))
        written = door.transport.written
        door.front.look(100.0)
        for _ in range(4):
            door.receive(connect("example.com:443") * 1000)
            door.front.look(101.0)
        assert (door.transport.written, door.transport.closed) == (written, "")
        door.front.look(102.0)
        assert door.transport.closed == "aborted"
        assert door.log.of("timeout") == []
        door = Door()
        door.send(connect(f"{HOST}:8443"))
        door.receive(bytes(LINGER_BYTES + 1))
        assert door.transport.closed == "aborted"

    within_a_loop(story)


def test_a_log_that_fails_opens_no_tunnel() -> None:
    def story() -> None:
        for raw in (connect("example.com:443"), connect(PLAIN, method="GET"), connect(f"{HOST}:8443")):
            door = Door()
            door.log.is_failing = True
            door.send(raw)
            assert b"audit_unavailable" in answered(door)[1]

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
        assert Begun.made == []
        door.receive(b"more")
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
        assert len(door.scene.path.open) == 1
        door.send(CONNECT)
        door.transport.close()
        return door

    door = within_a_loop(story)
    assert (door.scene.path.open, door.ended) == ({}, 1)


def test_nothing_is_under_way_yet() -> None:
    def story() -> Door:
        door = Door()
        door.front.close_idle()
        return door

    door = within_a_loop(story)
    assert (door.transport.closed, door.ended, door.front.hosts) == ("closed", 1, 0)
    assert not asyncio.run(door.front.is_busy(late=True))


RAISING: dict[str, tuple[Any, str, bytes]] = {
    "connection_made": (front_module, "peer_address", b""),
    "the header": (front_module, "read_header", LINE),
    "the head": (front_module.HeadScanner, "read", CONNECT),
    "the decision": (front_module, "admit", CONNECT),
    "the check of clients": (front_module, "is_blocked", CONNECT),
    "the hello": (HelloReader, "read", CONNECT),
    "the tunnel": (Begun, "__init__", CONNECT),
    "the tunnel's begin": (Begun, "begin", CONNECT),
    "the relay": (Relayed, "begin", OTHERS["another host"][0]),
    "a call in the clear": (Called, "begin", CALLS["a path"][0]),
    "a refusal": (front_module, "refuse_head", IRREGULAR["two blanks"]),
    "the record": (Gate, "record_tunnel", CONNECT),
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
            door.send(b"GET /" if name == "record_tunnel" else client_hello())
        return door

    door = within_a_loop(story)
    assert door.transport.closed == "aborted"
    assert (door.ended, door.scene.path.open) == (1, {})
    assert "dapi-secret" not in caplog.text
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("callback", ["eof_received", "look", "connection_lost"])
def test_whatever_raises_at_the_end_closes_it_as_well(
    callback: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Door:
        door = Door(balancers=("192.0.2.0/24",))
        door.send(LINE[:5])
        if callback == "connection_lost":
            monkeypatch.setattr(Front, "end_lost", broken)
            door.front.end.connection_lost(None)
        else:
            monkeypatch.setattr(Front, "_refuse_header", broken)
            door.front.look(0.0)
            door.front.look(99.0) if callback == "look" else door.front.end.eof_received()
        return door

    door = within_a_loop(story)
    assert door.transport.closed == "aborted"
    assert "RuntimeError" in caplog.text
