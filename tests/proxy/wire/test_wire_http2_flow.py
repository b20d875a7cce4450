"""HTTP/2: what is sent when, who waits for whom, and how calls and connections end."""

from __future__ import annotations

from typing import Any

import pytest
from http2_line import Line, clear

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.proxy.wire.events import Fault
from brickscope.proxy.wire.frames import MAX_FRAME
from brickscope.proxy.wire.peer import ALL_STREAMS, STREAM_WINDOW, WINDOW
from brickscope.proxy.wire.streams import DROPPED
from http2_by_hand import PUT, announcing, data, ping, pseudo, reset, settings, window

# -- flow control ------------------------------------------------------------------------------------------------


def test_what_has_not_left_is_not_acknowledged() -> None:
    line = Line()
    line.client(line.c.headers(1, PUT))
    sent = 0
    while sent < STREAM_WINDOW:
        line.client(data(1, b"x" * MAX_FRAME))
        sent += MAX_FRAME
    assert len(line.at_host.bodies[1]) == 65535, "the host's window"
    before = line.at_client.opened.get(1, 0)
    line.host(window(0, 1 << 20), window(1, 1 << 20))
    assert len(line.at_host.bodies[1]) == STREAM_WINDOW
    assert line.at_client.opened[1] - before >= STREAM_WINDOW // 2


def test_a_slow_reader_keeps_its_stream_back_and_no_other() -> None:
    line = Line()
    line.client(settings(INITIAL_WINDOW_SIZE=0), window(0, 1 << 30), line.c.request(1), line.c.request(3))
    line.client(window(3, 1 << 20))
    line.host(line.h.headers(1, [(b":status", b"200")]), line.h.headers(3, [(b":status", b"200")]))
    for _ in range(STREAM_WINDOW // MAX_FRAME):
        line.host(data(1, b"a" * MAX_FRAME), data(3, b"b" * MAX_FRAME))
    assert 1 not in line.at_client.bodies
    assert len(line.at_client.bodies[3]) == STREAM_WINDOW
    line.host(data(1, b"a"))
    assert line.closed, "a host that sends beyond the window that it has"


def test_bytes_of_a_stream_that_was_reset_are_given_back() -> None:
    line = Line()
    line.client(settings(INITIAL_WINDOW_SIZE=0))
    for number in range(1, 81, 2):
        line.client(line.c.request(number))
        line.host(line.h.headers(number, [(b":status", b"200")]))
        for _ in range(4):
            line.host(data(number, b"x" * MAX_FRAME))
        line.client(reset(number))
    assert not line.closed
    assert line.at_host.opened[0] > WINDOW


def test_waiting_streams_take_turns() -> None:
    line = Line()
    numbers = range(1, 17, 2)
    for number in numbers:
        line.client(line.c.request(number))
        line.host(line.h.headers(number, [(b":status", b"200")]), data(number, b"x" * MAX_FRAME) * 2)
    for _ in range(8):
        line.client(window(0, MAX_FRAME))
    sent = [len(line.at_client.bodies.get(number, b"")) for number in numbers]
    assert sum(sent) == 65535 + 8 * MAX_FRAME
    assert min(sent[4:]) > 0, "the later ones are not kept waiting by the first"


def test_a_denied_body_is_dropped_and_then_given_up() -> None:
    line = Line()
    line.client(line.c.headers(1, pseudo("/deny", "PUT")))
    for _ in range(DROPPED // MAX_FRAME):
        line.client(data(1, b"x" * MAX_FRAME))
    assert line.at_client.resets == {}
    line.client(data(1, b"x" * MAX_FRAME))
    assert line.at_client.resets == {1: 0}
    assert line.at_client.ended == {1}, "after the answer is complete (RFC 9113 section 8.1)"


def test_a_held_body_is_acknowledged_as_it_comes() -> None:
    def hold(head: Any, body: bytes | None, refused: Refused | None) -> Any:
        from brickscope.proxy.wire.events import Hold
        from brickscope.proxy.wire.head import Announced

        return Hold(1 << 20, Announced()) if body is None else clear(head)

    line = Line(hold)
    line.client(line.c.headers(1, PUT))
    for _ in range(40):
        line.client(data(1, b"x" * MAX_FRAME))
    assert line.core.held == 40 * MAX_FRAME
    line.client(data(1, end=True))
    assert (line.judged[-1][1], line.core.held) == (b"x" * MAX_FRAME * 40, 0)
    assert not line.closed


def test_all_held_bodies_can_be_given_up() -> None:
    line = Line()
    line.client(line.c.headers(1, pseudo("/hold", "PUT")), data(1, b"x"))
    line.do(line.core.give_up_holding(Refused(Reason.TOO_LARGE, "all of them")))
    assert line.at_client.heads[1][0][0] == (b":status", b"403")
    assert line.core.held == 0


def test_a_table_to_compress_headers_does_not_grow() -> None:
    line = Line()
    line.client(settings(HEADER_TABLE_SIZE=2**31))
    assert line.core._calls.client._h2.encoder.header_table_size == 4096


# -- ends --------------------------------------------------------------------------------------------------------


def test_a_call_that_waits_for_a_ruling_may_be_given_up() -> None:
    line = Line()
    line.client(line.c.request(1, "/wait"), reset(1))
    (judge,) = line.waiting or [None]
    assert judge is None, "it was never asked"
    line.client(line.c.request(3, "/wait"))
    (judge,) = line.waiting
    line.client(reset(3))
    assert line.core.rule(judge.exchange, clear(judge.head)) == []
    assert (line.outcomes, line.core.ahead) == ([], 0)


def test_trailers_before_the_ruling_break_the_call() -> None:
    line = Line()
    line.client(line.c.headers(1, pseudo("/wait", "PUT")), line.c.headers(1, [(b"x", b"y")], end=True))
    (judge,) = line.waiting
    line.do(line.core.rule(judge.exchange, clear(judge.head)))
    assert line.outcomes == [(None, 0, 0, "CLIENT_BROKE")]
    assert line.at_host.heads == {}


@pytest.mark.parametrize("body", [b"abc", b"abcdefg"])
@pytest.mark.parametrize("target", ["/ok", "/wait", "/hold", "/deny"])
def test_a_body_of_another_length_is_judged_and_told_also_in_one_read(target: str, body: bytes) -> None:
    line = Line()
    line.client(line.c.headers(1, announcing(target, 5)), data(1, body, end=True), line.c.request(3, "/deny"))
    for judge in line.waiting:
        line.do(line.core.rule(judge.exchange, clear(judge.head)))
    assert f"judge {target}" in line.story
    assert f"client< 1 {403 if target in ('/hold', '/deny') else 400}" in line.story
    assert "client< 1 reset 1" in line.story
    assert "client< 3 403" in line.story
    assert line.outcomes == ([] if target in ("/hold", "/deny") else [(None, 0, 0, "CLIENT_BROKE")])
    assert not any(text.startswith("host<") for text in line.story)


def test_an_unreachable_host_is_told_in_words_and_the_connection_ends() -> None:
    line = Line(up=False)
    line.client(line.c.request(1), line.c.request(3, "/deny"))
    assert line.outcomes == [(None, 0, 0, "UNREACHED")]
    assert line.at_client.heads[1][0][0] == (b":status", b"502")
    assert b"the host could not be reached" in line.at_client.bodies[1]
    assert line.closed == {"host": "gently", "client": "gently"}


def test_what_the_host_sends_before_it_is_there_is_kept() -> None:
    line = Line(up=None)
    line.client(line.c.request(1))
    line.host(line.h.hello)
    line.do(line.core.host_up())
    line.host(line.h.answer(1))
    assert line.outcomes == [(200, 0, 5, "")]


@pytest.mark.parametrize("fault", [Fault.HOST_STUCK, Fault.CLIENT_STUCK])
def test_one_call_is_given_up_and_the_others_go_on(fault: Fault) -> None:
    line = Line()
    line.client(line.c.request(1), line.c.request(3))
    (first, _), _ = line.core.calls
    line.do(line.core.give_up(first, fault))
    assert line.at_host.resets == {1: 8}
    if fault is Fault.HOST_STUCK:
        assert line.at_client.heads[1][0][0] == (b":status", b"504")
    else:
        assert line.at_client.resets == {1: 8}
    line.host(line.h.answer(3))
    assert line.outcomes == [(None, 0, 0, fault.name), (200, 0, 5, "")]


def test_what_moves_on_one_stream_is_no_progress_of_another() -> None:
    line = Line()
    line.client(line.c.request(1), line.c.request(3))
    before = dict(line.core.calls)
    line.host(line.h.headers(3, [(b":status", b"200")]), data(3, b"x"))
    line.client(ping())
    after = dict(line.core.calls)
    first, second = before
    assert after[first] == before[first]
    assert after[second] != before[second]


def test_a_stop_says_goaway_with_the_end_of_the_last_call() -> None:
    line = Line()
    line.client(line.c.request(1))
    line.do(line.core.drain(late=False))
    line.client(line.c.request(3))
    line.host(line.h.answer(1))
    assert not [text for text in line.story if "goaway" in text]
    line.host(line.h.answer(3))
    assert line.story[-2:] == ["client< 3 data end", f"client< goaway {ALL_STREAMS} 0"]
    line.client(line.c.request(5))
    line.host(line.h.answer(5))
    assert line.outcomes == [(200, 0, 5, "")] * 3
    line.do(line.core.close_idle())
    assert line.story[-3:] == ["client< goaway 5 0", "close host gently", "close client gently"]


def test_an_idle_connection_hears_of_a_stop_after_a_while() -> None:
    line = Line()
    line.do(line.core.drain(late=False))
    assert not [text for text in line.story if "goaway" in text]
    line.do(line.core.drain(late=False))
    assert line.story[-1] == f"client< goaway {ALL_STREAMS} 0"


@pytest.mark.parametrize("busy", [False, True])
def test_a_client_that_leaves_ends_all(busy: bool) -> None:
    line = Line()
    if busy:
        line.client(line.c.request(1))
    line.do(line.core.client_ended())
    assert line.closed == {"host": "at once", "client": "at once" if busy else "gently"}
    assert line.outcomes == ([(None, 0, 0, "CLIENT_LEFT")] if busy else [])
    assert line.core.from_client(b"x") == line.core.client_ended() == line.core.host_up() == []


def test_a_line_tells_what_it_is_about() -> None:
    line = Line()
    line.client(line.c.request(1))
    assert repr(line.core).startswith("<Http2 CALL UP [<ENDED 0, AWAITED 0>] <Peer")
