"""One end against a real peer, in memory: what comes, what goes, how either side ends."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tls_by_hand import HOST, Make, Peer, Told, Wire, answered, client_side, host_side, in_a_loop

from brickscope.proxy.handshake import find_cause
from brickscope.proxy.tls import LINGER_BYTES, End, Stage
from lab.workspace.authority import Authority


@pytest.mark.parametrize("step", [0, 1, 7])
def test_bytes_come_whole_in_whatever_pieces(make: Make, store: Path, step: int) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.say(b"x" * 40_000, step or 0)
        wire.say(b"y", step)
        return wire

    wire = in_a_loop(story)
    assert wire.told.data == b"x" * 40_000 + b"y"
    assert wire.told.told == ["up", "data"]


def test_large_answers_go_out_whole(make: Make, store: Path) -> None:
    data = bytes(range(256)) * 4096

    def story() -> bytes:
        wire = answered(make(), client_side(store))
        wire.end.write(data)
        found = b""
        sent = wire.transport.written[wire._passed :]
        for start in range(0, len(sent), 50_000):
            wire.peer.incoming.write(sent[start : start + 50_000])
            found += wire.peer.read()
        return found

    assert in_a_loop(story) == data


def test_a_first_request_may_come_with_the_end_of_the_handshake(make: Make, store: Path) -> None:
    def story() -> Wire:
        peer = Peer(client_side(store), server=False)
        wire = Wire(make().for_client(HOST, HOST), peer, server=True)
        peer.shake()
        wire.end.take_over(wire.transport)
        wire.end.begin(peer.outgoing.read(), b"http/1.1")
        peer.incoming.write(wire.transport.written)
        peer.shake()
        peer.tls.write(b"GET / HTTP/1.1\r\n\r\n")
        wire.transport.receive(peer.outgoing.read())
        return wire

    wire = in_a_loop(story)
    assert (wire.told.told, wire.told.data) == (["up", "data"], b"GET / HTTP/1.1\r\n\r\n")


def test_close_notify_is_told_after_what_came_with_it(make: Make, store: Path) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.peer.tls.write(b"last")
        with pytest.raises(ssl.SSLWantReadError):
            wire.peer.tls.unwrap()
        wire.exchange()
        wire.transport.receive_end()
        return wire

    assert in_a_loop(story).told.told == ["up", "data", ("closed", True), "lost"]


def test_a_plain_end_is_told_apart(make: Make, store: Path) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.transport.receive_end()
        return wire

    assert in_a_loop(story).told.told == ["up", ("closed", False), "lost"]


def test_so_is_a_reset_and_a_record_that_is_none(make: Make, store: Path) -> None:
    def reset() -> Wire:
        wire = answered(make(), client_side(store))
        wire.transport.cut()
        return wire

    def garbage() -> Wire:
        wire = answered(make(), client_side(store))
        wire.transport.receive(b"GET / HTTP/1.1\r\n\r\n")
        return wire

    assert in_a_loop(reset).told.told == ["up", ("closed", False), "lost"]
    assert in_a_loop(garbage).told.told == ["up", ("closed", False)]


def test_a_gentle_end_says_so_in_tls_and_then_drops_what_comes(make: Make, store: Path) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.end.write(b"bye")
        wire.end.linger()
        wire.end.linger()
        wire.exchange()
        assert wire.peer.read() == b"bye"
        wire.peer.read()
        assert wire.peer.ended
        wire.transport.receive(b"x" * LINGER_BYTES)
        assert not wire.transport.closed
        wire.end.write(b"dropped")
        wire.transport.receive(b"x")
        assert wire.transport.closed == "aborted"
        return wire

    assert in_a_loop(story).told.told == ["up", "lost"]


def test_after_a_little_of_http2_others_have_their_turn() -> None:
    """Of a quarter of a MiB of DATA with a byte each the library makes work for half a second."""
    end = End(None, Told())
    sizes = {}
    for end.alpn in (None, b"http/1.1", b"h2"):
        sizes[end.alpn] = len(end.get_buffer(-1)) // 1024
    assert sizes == {None: 256, b"http/1.1": 256, b"h2": 32}


def old_client(store: Path) -> ssl.SSLContext:
    context = client_side(store)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


REFUSED: dict[str, tuple[dict[str, Any], Callable[[Path], ssl.SSLContext], str]] = {
    "TLS 1.1": ({}, old_client, "protocol_version"),
    "TLS 1.2, where 1.3 is asked for": (
        {"tls_version_client_min": "TLS1_3"},
        lambda store: client_side(store, maximum_version=ssl.TLSVersion.TLSv1_2),
        "protocol_version",
    ),
    "a client that does not trust us": ({}, lambda store: ssl.create_default_context(), "ca_unknown"),
}


@pytest.mark.parametrize(("options", "client", "cause"), REFUSED.values(), ids=REFUSED)
def test_a_handshake_that_fails_says_why(
    make: Make, store: Path, options: dict[str, Any], client: Callable[[Path], ssl.SSLContext], cause: str
) -> None:
    wire = in_a_loop(lambda: answered(make(**options), client(store)))
    assert wire.peer.error is not None
    (failed,) = [told for told in wire.told.told if told != "lost"]
    assert failed[0] == "failed"
    assert find_cause("client", failed[1]) == cause
    assert wire.transport.closed == "closed"


def test_a_host_that_hangs_up_has_no_words(make: Make, authority: Authority) -> None:
    def story() -> Wire:
        wire = Wire(make().for_host(HOST), Peer(host_side(authority, HOST), server=True), server=False)
        wire.end.connection_made(wire.transport)
        wire.transport.receive_end()
        return wire

    wire = in_a_loop(story)
    assert wire.told.told == ["made", ("failed", None), "lost"]


def test_a_host_that_speaks_no_tls_is_said(make: Make, authority: Authority) -> None:
    def story() -> Wire:
        wire = Wire(make().for_host(HOST), Peer(host_side(authority, HOST), server=True), server=False)
        wire.end.connection_made(wire.transport)
        wire.transport.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return wire

    wire = in_a_loop(story)
    assert find_cause("server", wire.told.told[1][1]) == "not_tls"


def test_an_end_is_told_in_one_line(make: Make, store: Path) -> None:
    wire = in_a_loop(lambda: answered(make(), client_side(store)))
    assert repr(wire.end) == "<End UP>"
    assert wire.end.stage is Stage.UP
    assert wire.end.unsent == 0
