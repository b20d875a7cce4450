"""HTTP/2: what one side may do before its connection ends, and what of it ends nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes
from http2_line import Line, clear
from http2_line import judge as by_path

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.proxy.wire.events import Hold, Phase, Ruling
from brickscope.proxy.wire.frames import MAX_FRAME
from brickscope.proxy.wire.framing import SMALL_CHUNKS
from brickscope.proxy.wire.head import Announced, Head
from brickscope.proxy.wire.peer import FULL, MAX_STREAMS
from http2_by_hand import PUT, data, goaway, ping, pseudo, reset, settings, window

# -- what one side may do ----------------------------------------------------------------------------------------


def flood(line: Line, *frames: bytes, side: str = "client") -> int:
    """How many times something can be sent before the connection ends."""
    for count in range(3 * FULL):
        getattr(line, side)(frames[min(count, len(frames) - 1)])
        if line.closed:
            return count
    return -1


FLOODS: dict[str, Callable[[Line], bytes]] = {
    "PING": lambda line: ping(),
    "acknowledgements of PING": lambda line: ping()[:4] + b"\x01" + ping()[5:],
    "SETTINGS": lambda line: settings(INITIAL_WINDOW_SIZE=65535),
    "empty DATA": lambda line: data(1),
    "empty DATA with padding": lambda line: data(1, pad=10),
    "WINDOW_UPDATE": lambda line: window(0, 1),
    "WINDOW_UPDATE of a stream": lambda line: window(1, 1),
    "PRIORITY": lambda line: b"\x00\x00\x05\x02\x00\x00\x00\x00\x01\x00\x00\x00\x00\x10",
    "RST_STREAM of what is over": lambda line: reset(3),
    "frames of unknown kinds": lambda line: b"\x00\x00\x00\xee\x00\x00\x00\x00\x01",
}


@pytest.mark.parametrize("frame", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("side", ["client", "host"])
def test_a_flood_ends_the_connection(frame: Callable[[Line], bytes], side: str) -> None:
    line = Line()
    line.client(line.c.headers(1, PUT), line.c.request(3))
    line.host(line.h.headers(1, [(b":status", b"200")]), line.h.answer(3))
    count = flood(line, frame(line), side=side)
    assert 0 < count <= FULL + 20
    assert "goaway" in " ".join(line.story)
    assert line.closed["host"] == "at once"
    assert line.outcomes[-1][3] == ("CLIENT_BROKE" if side == "client" else "HOST_BROKE")
    assert not line.core._calls.events


@pytest.mark.parametrize("target", ["/ok", "/deny", "/wait"])
def test_rapid_resets_end_the_connection(target: str) -> None:
    """CVE-2023-44487."""
    line = Line()
    for number in range(1, 2000, 2):
        line.client(line.c.request(number, target, body=None), reset(number))
        if line.closed:
            break
    assert 100 < number < 400
    assert re.search(r"client< goaway \d+ 11", " ".join(line.story))


def test_streams_that_answers_end_cost_nothing() -> None:
    line = Line()
    for number in range(1, 2001, 2):
        line.client(line.c.request(number), ping())
        line.host(line.h.answer(number), window(0, 5))
    assert not line.closed
    assert len(line.outcomes) == 1000


def test_time_earns_what_is_odd_now_and_then() -> None:
    line = Line()
    for _ in range(3000):
        line.client(ping())
        line.core.pass_time(0.02)
    assert not line.closed


def test_a_window_that_lets_one_byte_through_at_a_time_ends_the_connection() -> None:
    """CVE-2019-9511: each byte costs a frame each way."""
    line = Line()
    line.client(settings(INITIAL_WINDOW_SIZE=1), line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200")]), data(1, b"x" * MAX_FRAME))
    assert 500 < flood(line, window(1, 1)) <= FULL


def test_a_reader_of_small_windows_is_served() -> None:
    line = Line()
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200")]))
    for _ in range(400):
        line.host(data(1, b"x" * MAX_FRAME))
        for _ in range(4):  # as Go does it
            line.client(window(0, MAX_FRAME // 4), window(1, MAX_FRAME // 4))
    assert not line.closed


def test_streams_beyond_the_limit_are_refused_and_the_others_go_on() -> None:
    line = Line()
    numbers = range(1, 2 * MAX_STREAMS + 8, 2)
    line.client(*[line.c.request(number, "/wait") for number in numbers])
    assert line.at_client.resets == dict.fromkeys(numbers[MAX_STREAMS:], 7)
    for judge in line.waiting:
        line.do(line.core.rule(judge.exchange, clear(judge.head)))
    assert len(line.at_host.heads) == MAX_STREAMS


def test_a_host_that_takes_fewer_streams_gets_no_more() -> None:
    line = Line()
    line.client(line.c.request(1))
    line.host(settings(MAX_CONCURRENT_STREAMS=2))
    line.client(line.c.request(3), line.c.request(5))
    assert line.at_client.resets == {5: 7}
    line.host(line.h.answer(1), line.h.answer(3))
    line.client(line.c.request(7))
    line.host(line.h.answer(5))
    assert [outcome[3] for outcome in line.outcomes] == ["HOST_LEFT", "", "", ""]


def test_a_header_list_that_is_too_large_ends_the_connection() -> None:
    line = Line()
    fields = [*pseudo("/ok"), *[(b"x-%d" % at, b"y" * 1000) for at in range(70)]]
    line.client(line.c.headers(1, fields, end=True, parts=9))
    assert "client< goaway 0 11" in line.story
    assert not line.judged


def test_a_header_block_has_an_end() -> None:
    line = Line()
    block = line.c.headers(1, pseudo("/ok"), parts=70)
    line.client(block)
    assert line.closed
    assert not line.judged


def test_a_begun_header_block_is_told() -> None:
    line = Line()
    assert not line.core.is_in_head
    whole = line.c.headers(1, pseudo("/wait"), end=True, parts=2)
    first = 9 + int.from_bytes(whole[:3], "big")
    for cut in (1, 5, first - 1, first, first + 3):
        other = Line()
        other.client(whole[:cut])
        assert other.core.is_in_head, cut
    line.client(whole)
    assert not line.core.is_in_head
    line.client(data(1, b"x")[:5])
    assert not line.core.is_in_head


def test_dust_is_refused() -> None:
    line = Line()
    line.client(line.c.headers(1, PUT))
    for _ in range(SMALL_CHUNKS + 400):
        line.client(data(1, b"x"))
    assert line.outcomes == [(None, line.outcomes[0][1], 0, "CLIENT_BROKE")]


def hold(head: Head, body: bytes | None, refused: Refused | None) -> Ruling | None:
    """The gate that wants each body before it rules."""
    return Hold(1 << 20, Announced()) if body is None and refused is None else by_path(head, body, refused)


@pytest.mark.parametrize("gate", [hold, by_path], ids=["held back", "denied"])
def test_dust_is_refused_where_nobody_is_sent_it(
    gate: Callable[[Head, bytes | None, Refused | None], Ruling | None],
) -> None:
    """Each frame of one byte takes as long as one of 16 KB: 256 KB of them took seconds, for a client without a token."""
    line = Line(gate)
    line.client(line.c.headers(1, pseudo("/deny", "PUT")), data(1, b"x") * SMALL_CHUNKS)
    assert line.at_client.resets == {}
    line.client(data(1, b"x") * 400)
    assert line.at_client.heads[1][0][0] == (b":status", b"403")
    assert f"client< 1 reset {int(ErrorCodes.PROTOCOL_ERROR)}" in line.story
    assert [refused.reason for _, _, refused in line.judged[1:] if refused] == (
        [Reason.MALFORMED_BODY] if gate is hold else []
    )
    line.client(data(1, b"x") * (FULL + 400))
    assert line.core.phase is Phase.OVER, "what is of no use earns nothing"


NO_FRAMES = {
    "no preface": b"GET / HTTP/1.1\r\n\r\n",
    "half a preface and something else": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rx",
}


@pytest.mark.parametrize("sent", NO_FRAMES.values(), ids=NO_FRAMES)
def test_what_is_no_http2_ends(sent: bytes) -> None:
    line = Line.__new__(Line)
    Line.__init__(line)
    other = type(line.core)(line.core._calls._door)
    other.begin()
    events = other.from_client(sent)
    assert [type(event).__name__ for event in events] == ["ToClient", "Close", "Close"]


BROKEN_FRAMES = {
    "a frame that is too long": b"\x00\x40\x01\x00\x00\x00\x00\x00\x01",
    "a PING of seven bytes": b"\x00\x00\x07\x06\x00\x00\x00\x00\x00" + b"x" * 7,
    "a PING on a stream": b"\x00\x00\x08\x06\x00\x00\x00\x00\x01" + b"x" * 8,
    "DATA on no stream": data(1, b"x").replace(b"\x00\x00\x00\x01", b"\x00\x00\x00\x00"),
    "DATA on a stream that is not there": data(9, b"x"),
    "a WINDOW_UPDATE of nothing": window(1, 1)[:-1] + b"\x00",
    "a window beyond all": window(0, 2**31 - 1) * 2,
    "CONTINUATION alone": b"\x00\x00\x00\x09\x04\x00\x00\x00\x01",
    "a push": b"\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02",
    "a GOAWAY of three bytes": b"\x00\x00\x03\x07\x00\x00\x00\x00\x00abc",
    "a GOAWAY on a stream": goaway(0).replace(b"\x07\x00\x00\x00\x00\x00", b"\x07\x00\x00\x00\x00\x01"),
    "headers that are no HPACK": b"\x00\x00\x02\x01\x05\x00\x00\x00\x0b\xff\xff",
    "padding beyond the frame": b"\x00\x00\x01\x00\x08\x00\x00\x00\x01\xff",
}


@pytest.mark.parametrize("frame", BROKEN_FRAMES.values(), ids=BROKEN_FRAMES)
@pytest.mark.parametrize("side", ["client", "host"])
def test_a_broken_frame_ends_both_and_each_call_once(frame: bytes, side: str) -> None:
    line = Line()
    line.client(line.c.headers(1, PUT), data(1, b"x"))
    getattr(line, side)(frame)
    assert line.closed == {"host": "at once", "client": "gently"}
    assert [outcome[3] for outcome in line.outcomes] == ["CLIENT_BROKE" if side == "client" else "HOST_BROKE"]
    assert [text for text in line.story if text.startswith(f"{side}< goaway")] != []
    assert ("client< 1 502" in line.story) is (side == "host")


@pytest.mark.parametrize("target", ["/ok", "/deny"])
def test_what_is_answered_by_us_already_is_not_answered_again(target: str) -> None:
    """A client that takes no bytes has its stream open, when the host breaks for the second time."""
    line = Line()
    line.client(settings(INITIAL_WINDOW_SIZE=0))
    line.client(line.c.headers(1, pseudo(target, "PUT")), line.c.request(3))
    line.host(line.h.headers(1, [(b"no-status", b"1")]) if target == "/ok" else b"")
    heads = list(line.at_client.heads[1])
    assert len(heads) == 1
    line.host(BROKEN_FRAMES["headers that are no HPACK"])
    assert line.at_client.heads[1] == heads
    assert 1 not in line.at_client.resets
    assert line.closed == {"host": "at once", "client": "gently"}


def test_the_first_frame_is_settings() -> None:
    line = Line(up=None)
    line.client(line.c.request(1))
    line.do(line.core.host_up())
    line.host(ping())
    assert line.closed
