"""HTTP/2 from frame to frame: what each side gets for what the other sends, whole and in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from http2_line import Line, clear

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.proxy.wire.events import Fault
from brickscope.proxy.wire.frames import MAX_FRAME
from brickscope.proxy.wire.framing import SMALL_CHUNKS
from brickscope.proxy.wire.peer import ALL_STREAMS, FULL, MAX_STREAMS, STREAM_WINDOW, WINDOW
from brickscope.proxy.wire.streams import DROPPED
from http2_by_hand import HOST, data, goaway, ping, pseudo, reset, settings, window

Story = Callable[[Line], None]
PUT = [*pseudo("/ok", "PUT")]
AUTHORIZATION = (b"authorization", b"Bearer dapi0")


def a_call(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.answer(1))


def a_denied_call(line: Line) -> None:
    line.client(line.c.request(1, "/deny"))


def a_body(line: Line) -> None:
    line.client(line.c.headers(1, PUT), data(1, b"some"), data(1, b" body", end=True))
    line.host(line.h.answer(1, b""))


def a_body_with_padding(line: Line) -> None:
    line.client(line.c.headers(1, PUT), data(1, b"some", pad=20), data(1, b"", end=True))
    line.host(line.h.answer(1, b"hello"))


def trailers_of_an_answer(line: Line) -> None:
    line.client(line.c.request(1, "/ok", body=b"x"))
    line.host(line.h.headers(1, [(b":status", b"200")]), data(1, b"hi"))
    line.host(line.h.headers(1, [(b"grpc-status", b"0"), (b"alt-svc", b"h3")], end=True))


def only_trailers_that_are_taken_out(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200")]), data(1, b"hi"))
    line.host(line.h.headers(1, [(b"x-brickscope-reason", b"x")], end=True))


def an_interim_answer(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"103"), (b"link", b"x")]), line.h.answer(1))


def a_held_body(line: Line) -> None:
    line.client(line.c.request(1, "/hold", body=b"good"))
    line.host(line.h.answer(1))


def a_held_body_that_is_denied(line: Line) -> None:
    line.client(line.c.request(1, "/hold", body=b"bad"))


def a_held_body_that_is_too_large(line: Line) -> None:
    line.client(line.c.request(1, "/hold", body=b"x" * 11))


def a_large_body_in_monitor_mode(line: Line) -> None:
    line.client(line.c.request(1, "/monitor", body=b"x" * 11))
    line.host(line.h.answer(1))


def a_held_call_without_a_body(line: Line) -> None:
    line.client(line.c.request(1, "/hold"))
    line.host(line.h.answer(1))


def two_calls_at_once(line: Line) -> None:
    line.client(line.c.request(1, "/ok/1"), line.c.request(3, "/ok/2"))
    line.host(line.h.answer(3, b"two"), line.h.answer(1, b"one"))


def the_host_resets(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(reset(1, 7))


def the_host_resets_amid_its_answer(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200")]), data(1, b"half"), reset(1, 2))


def the_host_has_enough_of_a_body(line: Line) -> None:
    line.client(line.c.headers(1, PUT), data(1, b"some"))
    line.host(line.h.answer(1, b"enough"), reset(1, 0))


def the_host_leaves(line: Line) -> None:
    line.client(line.c.request(1))
    line.do(line.core.host_ended(clean=True))


def the_host_leaves_amid_its_answer(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200")]), data(1, b"half"))
    line.do(line.core.host_ended(clean=False))


def the_host_goes_away_before_a_call(line: Line) -> None:
    a_call(line)
    line.host(goaway(1))
    line.client(line.c.request(3))
    line.host(line.h.answer(1))


def the_host_goes_away_amid_calls(line: Line) -> None:
    line.client(line.c.request(1), line.c.request(3))
    line.host(goaway(1))
    line.client(line.c.request(5))
    line.host(line.h.answer(1))


def a_client_that_goes_away(line: Line) -> None:
    line.client(line.c.request(1), goaway(0))
    line.host(line.h.answer(1))


def a_request_with_trailers(line: Line) -> None:
    line.client(line.c.headers(1, PUT), data(1, b"x"))
    line.client(line.c.headers(1, [(b"x-late", b"1")], end=True))


def held_trailers(line: Line) -> None:
    line.client(line.c.headers(1, pseudo("/hold", "PUT")), data(1, b"x"))
    line.client(line.c.headers(1, [(b"x-late", b"1")], end=True))


def denied_trailers(line: Line) -> None:
    line.client(line.c.headers(1, pseudo("/deny", "PUT")), data(1, b"x"))
    line.client(line.c.headers(1, [(b"x-late", b"1")], end=True))


def the_answer_is_malformed(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200"), (b"X-Upper", b"x")], end=True))


def the_answer_is_for_a_head(line: Line) -> None:
    line.client(line.c.headers(1, pseudo("/ok", "HEAD"), end=True))
    line.host(line.h.headers(1, [(b":status", b"200"), (b"content-length", b"5")], end=True))


def an_answer_that_comes_early(line: Line) -> None:
    line.client(line.c.headers(1, PUT), data(1, b"x"))
    line.host(line.h.answer(1, b"early"))
    line.client(data(1, b"y", end=True))


def announcing(target: str, length: int, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [*pseudo(target, "PUT"), (b"content-length", b"%d" % length), *more]


def a_body_that_is_too_short(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/ok", 5)))
    line.client(data(1, b"abc", end=True), line.c.request(3))
    line.host(line.h.answer(3))


def a_body_that_is_too_long(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/ok", 2)))
    line.client(data(1, b"abc", end=True))


def a_body_that_grows_too_long(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/ok", 4)))
    line.client(data(1, b"abc"))
    line.client(data(1, b"de", end=True))


def a_held_body_that_is_too_short(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/hold", 5)), data(1, b"abc", end=True))


def a_denied_body_that_is_too_short(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/deny", 5)), data(1, b"abc", end=True))


def an_odd_length(line: Line) -> None:
    line.client(line.c.headers(1, [*pseudo("/ok"), (b"content-length", b"+5")]), line.c.request(3, "/deny"))


def an_answer_that_is_too_short(line: Line) -> None:
    line.client(line.c.request(1), line.c.request(3))
    line.host(line.h.headers(1, [(b":status", b"200"), (b"content-length", b"5")]), data(1, b"abc", end=True))
    line.host(line.h.answer(3))


def an_answer_that_is_too_long(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200"), (b"content-length", b"2")]), data(1, b"abc", end=True))


def an_answer_that_is_too_short_for_its_trailers(line: Line) -> None:
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", b"200"), (b"content-length", b"5")]), data(1, b"abc"))
    line.host(line.h.headers(1, [(b"grpc-status", b"0")], end=True))


EXPECT = (b"expect", b"100-continue")


def a_body_that_waits(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/ok", 4, EXPECT)))
    line.host(line.h.headers(1, [(b":status", b"100")]))
    line.client(data(1, b"body", end=True))
    line.host(line.h.answer(1))


def a_held_body_that_waits(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/hold", 4, EXPECT)))
    line.client(data(1, b"body", end=True))
    line.host(line.h.headers(1, [(b":status", b"100")]), line.h.answer(1))


def a_denied_body_that_waits(line: Line) -> None:
    line.client(line.c.headers(1, announcing("/deny", 4, EXPECT)))
    line.client(line.c.request(3, "/deny"))


def a_client_that_is_done_with_a_denied_body(line: Line) -> None:
    line.client(line.c.headers(1, pseudo("/deny", "PUT")), data(1, b"x"))
    line.client(data(1, b"y", end=True))
    line.client(line.c.request(3))
    line.host(line.h.answer(1))


WENT = ["judge /ok", "dial", "host< 1 /ok end", "answered 200", "ended 200 0 5"]
DENIED = ["client< 1 403", "client< 1 data end"]
# What happens, and of the story what matters: all of it, but for the order of frames for different sides.
STORIES: dict[str, tuple[Story, list[str]]] = {
    "a call": (a_call, [*WENT, "client< 1 200", "client< 1 data end"]),
    "a denied call": (a_denied_call, ["judge /deny", *DENIED]),
    "an unannounced body": (
        a_body,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data end"),
            *("answered 200", "client< 1 200", "client< 1 data end", "ended 200 9 0"),
        ],
    ),
    "padding is not passed on": (
        a_body_with_padding,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data end"),
            *("answered 200", "client< 1 200", "client< 1 data end", "ended 200 4 5"),
        ],
    ),
    "trailers of an answer": (
        trailers_of_an_answer,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data end", "answered 200"),
            *("client< 1 200", "client< 1 data", "client< 1 trailers end", "ended 200 1 2"),
        ],
    ),
    "trailers of which nothing is left": (
        only_trailers_that_are_taken_out,
        [*WENT[:4], "client< 1 200", "client< 1 data end", "ended 200 0 2"],
    ),
    "an interim answer": (
        an_interim_answer,
        [*WENT, "client< 1 103", "client< 1 200", "client< 1 data end"],
    ),
    "a held body": (
        a_held_body,
        [
            *("judge /hold", "judge /hold", "dial", "host< 1 /hold", "host< 1 data end"),
            *("answered 200", "client< 1 200", "client< 1 data end", "ended 200 4 5"),
        ],
    ),
    "a held body that is denied": (a_held_body_that_is_denied, ["judge /hold", "judge /hold", *DENIED]),
    "a held body that is too large": (a_held_body_that_is_too_large, ["judge /hold", "judge /hold", *DENIED]),
    "a large body in monitor mode": (
        a_large_body_in_monitor_mode,
        [
            *("judge /monitor", "judge /monitor", "dial", "host< 1 /monitor", "host< 1 data end"),
            *("answered 200", "client< 1 200", "client< 1 data end", "ended 200 11 5"),
        ],
    ),
    "a held call without a body": (
        a_held_call_without_a_body,
        [
            *("judge /hold", "judge /hold", "dial", "host< 1 /hold end"),
            *("answered 200", "client< 1 200", "client< 1 data end", "ended 200 0 5"),
        ],
    ),
    "two calls at once": (
        two_calls_at_once,
        [
            *("judge /ok/1", "judge /ok/2", "dial", "host< 1 /ok/1 end", "host< 3 /ok/2 end"),
            *("answered 200", "ended 200 0 3", "answered 200", "ended 200 0 3"),
            *("client< 3 200", "client< 3 data end", "client< 1 200", "client< 1 data end"),
        ],
    ),
    "a reset of the host": (the_host_resets, [*WENT[:3], "client< 1 reset 7", "ended None 0 0 HOST_LEFT"]),
    "a reset of the host amid its answer": (
        the_host_resets_amid_its_answer,
        [*WENT[:4], "client< 1 200", "client< 1 data", "client< 1 reset 2", "ended 200 0 4 HOST_LEFT"],
    ),
    "a host that has enough of a body": (
        the_host_has_enough_of_a_body,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data", "answered 200"),
            *("client< 1 200", "client< 1 data end", "client< 1 reset 0", "ended 200 4 6"),
        ],
    ),
    "a host that leaves": (
        the_host_leaves,
        [*WENT[:3], "client< 1 502", "client< 1 data end", "ended None 0 0 HOST_LEFT"],
    ),
    "a host that leaves amid its answer": (
        the_host_leaves_amid_its_answer,
        [*WENT[:4], "client< 1 200", "client< 1 data", "client< 1 reset 2", "ended 200 0 4 HOST_LEFT"],
    ),
    "GOAWAY of an idle host": (
        the_host_goes_away_before_a_call,
        [
            *(*WENT, "client< 1 200", "client< 1 data end", "hang up"),
            *(*WENT, "client< 3 200", "client< 3 data end"),
        ],
    ),
    "GOAWAY of a host amid calls": (
        the_host_goes_away_amid_calls,
        [
            *("judge /ok", "judge /ok", "dial", "host< 1 /ok end", "host< 3 /ok end", "host< 3 reset 8"),
            *("client< 3 reset 7", "ended None 0 0 HOST_LEFT"),
            # only now: Python's h2 would give up what it has open
            *("client< 5 reset 7", f"client< goaway {ALL_STREAMS} 0"),
            *("answered 200", "client< 1 200", "client< 1 data end", "ended 200 0 5"),
            *("client< goaway 5 0", "close host gently", "close client gently"),
        ],
    ),
    "GOAWAY of a client": (
        a_client_that_goes_away,
        [
            *(*WENT, "client< 1 200", "client< 1 data end"),
            "client< goaway 1 0",
            *("close host gently", "close client gently"),
        ],
    ),
    "trailers of a request": (
        a_request_with_trailers,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data", "host< 1 reset 8"),
            *("client< 1 400", "client< 1 data end", "ended None 1 0 CLIENT_BROKE"),
        ],
    ),
    "trailers of a request that is held back": (held_trailers, ["judge /hold", "judge /hold", *DENIED]),
    "trailers of a denied request": (denied_trailers, ["judge /deny", *DENIED]),
    "a malformed answer": (
        the_answer_is_malformed,
        [*WENT[:3], "client< 1 502", "client< 1 data end", "ended None 0 0 HOST_BROKE"],
    ),
    "an answer to HEAD": (
        the_answer_is_for_a_head,
        [*WENT[:4], "client< 1 200 end", "ended 200 0 0"],
    ),
    "an answer that comes early": (
        an_answer_that_comes_early,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data end", "answered 200"),
            *("client< 1 200", "client< 1 data end", "ended 200 2 5"),
        ],
    ),
    "a body that is too short": (
        a_body_that_is_too_short,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 reset 8", "ended None 0 0 CLIENT_BROKE"),
            *("client< 1 400", "client< 1 data end", "client< 1 reset 1"),
            *("judge /ok", "host< 3 /ok end", "answered 200", "ended 200 0 5"),
            *("client< 3 200", "client< 3 data end"),
        ],
    ),
    "a body that is too long": (
        a_body_that_is_too_long,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 reset 8", "ended None 0 0 CLIENT_BROKE"),
            *("client< 1 400", "client< 1 data end", "client< 1 reset 1"),
        ],
    ),
    "a body that grows too long": (
        a_body_that_grows_too_long,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data", "host< 1 reset 8"),
            *("client< 1 400", "client< 1 data end", "client< 1 reset 1", "ended None 3 0 CLIENT_BROKE"),
        ],
    ),
    "a held body that is too short": (
        a_held_body_that_is_too_short,
        ["judge /hold", "judge /hold", *DENIED, "client< 1 reset 1"],
    ),
    "a denied body that is too short": (
        a_denied_body_that_is_too_short,
        ["judge /deny", *DENIED, "client< 1 reset 1"],
    ),
    "an odd length": (
        an_odd_length,
        # it is the gate that refuses it, in words
        ["judge /ok", "dial", "host< 1 /ok", "judge /deny", "client< 3 403", "client< 3 data end"],
    ),
    "an answer that is too short": (
        an_answer_that_is_too_short,
        [
            *("judge /ok", "judge /ok", "dial", "host< 1 /ok end", "host< 3 /ok end"),
            *("answered 200", "client< 1 200", "client< 1 reset 2", "ended 200 0 0 HOST_BROKE"),
            *("answered 200", "client< 3 200", "client< 3 data end", "ended 200 0 5"),
        ],
    ),
    "an answer that is too long": (
        an_answer_that_is_too_long,
        [*WENT[:4], "client< 1 200", "client< 1 reset 2", "ended 200 0 0 HOST_BROKE"],
    ),
    "an answer that is too short for its trailers": (
        an_answer_that_is_too_short_for_its_trailers,
        [*WENT[:4], "client< 1 200", "client< 1 data", "client< 1 reset 2", "ended 200 0 3 HOST_BROKE"],
    ),
    "a body that waits": (
        a_body_that_waits,
        [
            *("judge /ok", "dial", "host< 1 /ok", "host< 1 data end", "answered 200", "ended 200 4 5"),
            *("client< 1 100", "client< 1 200", "client< 1 data end"),
        ],
    ),
    "a held body that waits": (
        a_held_body_that_waits,
        [
            *("judge /hold", "judge /hold", "dial", "host< 1 /hold", "host< 1 data end"),
            *("answered 200", "ended 200 4 5", "client< 1 100", "client< 1 200", "client< 1 data end"),
        ],
    ),
    "a denied body that waits": (
        a_denied_body_that_waits,
        [
            *("judge /deny", *DENIED, "client< 1 reset 0"),
            *("judge /deny", "client< 3 403", "client< 3 data end"),
        ],
    ),
    "a call after a denied body": (
        a_client_that_is_done_with_a_denied_body,
        ["judge /deny", *DENIED, *WENT, "client< 3 200", "client< 3 data end"],
    ),
}


def told(line: Line) -> dict[str, Any]:
    """All that was said to whom, and in which order to each, without how bodies were cut into frames."""
    sides: dict[str, list[str]] = {}
    for text in line.story:
        side = text.partition(" ")[0]
        said = sides.setdefault(side, [])
        if not (said and text.endswith("data") and said[-1] == text):
            said.append(text)
    for said in sides.values():
        for at, text in reversed(list(enumerate(said))):
            if text.endswith("data end") and at and said[at - 1] == text.removesuffix(" end"):
                del said[at - 1]
    return sides | {"bodies": (line.at_client.bodies, line.at_host.bodies), "outcomes": line.outcomes}


@pytest.mark.parametrize(("story", "expected"), STORIES.values(), ids=STORIES)
def test_stories(story: Story, expected: list[str]) -> None:
    line = Line()
    story(line)
    found = told(line)
    wanted: dict[str, list[str]] = {}
    for text in expected:
        wanted.setdefault(text.partition(" ")[0], []).append(text)
    assert {side: said for side, said in found.items() if side not in ("bodies", "outcomes")} == wanted


RACES = {"GOAWAY of a host amid calls"}
"""What depends on how far the other side is."""


@pytest.mark.parametrize("split", [1, 2, 7, 20])
@pytest.mark.parametrize("story", [story for story, _ in STORIES.values()], ids=STORIES)
def test_it_does_not_matter_in_which_pieces_it_comes(story: Story, split: int) -> None:
    whole, pieces = Line(), Line(split=split)
    story(whole)
    story(pieces)
    assert told(pieces) == told(whole)


def test_a_head_is_passed_on_field_by_field() -> None:
    line = Line()
    more = [(b"x-b", b"2"), AUTHORIZATION, (b"x-a", b"1"), (b"x-b", b""), (b"te", b"trailers")]
    line.client(line.c.request(1, "/ok?a=%20", *more))
    assert line.at_host.heads[1] == [[*pseudo("/ok?a=%20"), *more]]
    (frame,) = [frame for frame in line.at_host.frames if frame.stream_id == 1]
    decoded = __import__("hpack").Decoder().decode(frame.data, raw=True)
    assert [type(field).__name__ for field in decoded if field[0] == b"authorization"] == [
        "NeverIndexedHeaderTuple"
    ]


def test_an_answer_is_passed_on_field_by_field() -> None:
    line = Line()
    line.client(line.c.request(1))
    fields = [(b":status", b"200"), (b"x", b"1"), (b"set-cookie", b"a"), (b"x", b"2")]
    out = [(b"alt-svc", b'h3=":443"'), (b"x-brickscope-reason", b"forged")]
    line.host(line.h.headers(1, [*fields[:2], *out, *fields[2:]], end=True))
    assert line.at_client.heads[1] == [fields]


MALFORMED: dict[str, list[tuple[bytes, bytes]]] = {
    "plain http": [(b":method", b"GET"), (b":scheme", b"http"), *pseudo("/ok")[2:]],
    "no scheme": [pseudo("/ok")[0], *pseudo("/ok")[2:]],
    "an empty path": pseudo(""),
    "an empty authority": pseudo("/ok", authority=""),
    "no authority": [*pseudo("/ok")[:2], pseudo("/ok")[3], (b"host", HOST.encode())],
    "a path twice": [*pseudo("/ok"), (b":path", b"/other")],
    "a method twice": [(b":method", b"GET"), *pseudo("/ok")],
    "an extended CONNECT": [*pseudo("/ok", "CONNECT"), (b":protocol", b"websocket")],
    "CONNECT": [(b":method", b"CONNECT"), (b":authority", HOST.encode())],
    "a status": [(b":status", b"200"), *pseudo("/ok")],
    "a first field that comes late": [*pseudo("/ok")[:3], (b"x", b"y"), pseudo("/ok")[3]],
    "a name in capitals": [*pseudo("/ok"), (b"X-Y", b"z")],
    "a name with a blank": [*pseudo("/ok"), (b"x y", b"z")],
    "a name with a colon": [*pseudo("/ok"), (b"x:y", b"z")],
    "no name": [*pseudo("/ok"), (b"", b"z")],
    "a line end in a value": [*pseudo("/ok"), (b"x", b"a\r\nb: c")],
    "a NUL in a value": [*pseudo("/ok"), (b"x", b"a\x00b")],
    "a blank before a value": [*pseudo("/ok"), (b"x", b" a")],
    "a tab after a value": [*pseudo("/ok"), (b"x", b"a\t")],
    "a blank in the method": [*pseudo("/ok", "GET /x")[:0], *pseudo("/ok", " GET")],
    "Connection": [*pseudo("/ok"), (b"connection", b"close")],
    "a transfer coding": [*pseudo("/ok"), (b"transfer-encoding", b"chunked")],
    "keep-alive": [*pseudo("/ok"), (b"keep-alive", b"5")],
    "Upgrade": [*pseudo("/ok"), (b"upgrade", b"h2c")],
    "a coding in TE": [*pseudo("/ok"), (b"te", b"trailers, gzip")],
    "a length without a body": [*pseudo("/ok"), (b"content-length", b"5")],
    "another host": [*pseudo("/ok"), (b"host", b"evil.example")],
    "its host in another spelling": [*pseudo("/ok", authority=f"{HOST}:443"), (b"host", HOST.encode())],
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_head_is_refused_and_the_connection_goes_on(fields: list[tuple[bytes, bytes]]) -> None:
    line = Line()
    line.client(line.c.headers(1, fields, end=True))
    ((head, _, refused),) = line.judged
    assert refused is not None
    assert (refused.reason, head.is_regular) == (Reason.MALFORMED_HEAD, False)
    line.client(line.c.request(3))
    line.host(line.h.answer(1))
    assert line.outcomes == [(200, 0, 5, "")]
    assert 1 not in line.at_host.heads or line.at_host.heads[1][0] == pseudo("/ok")
    assert line.at_client.heads[1][0][0] == (b":status", b"403")
    # RFC 9113 section 8.1.1: an answer may come before the stream error, which must come
    assert line.at_client.resets == {1: 1}


BROKEN_ANSWERS: dict[str, list[tuple[bytes, bytes]]] = {
    "no status": [(b"x", b"y")],
    "a status of two digits": [(b":status", b"20")],
    "a status beyond all": [(b":status", b"999")],
    "two": [(b":status", b"200"), (b":status", b"204")],
    "a path": [(b":status", b"200"), (b":path", b"/x")],
    "Connection": [(b":status", b"200"), (b"connection", b"close")],
    "a transfer coding": [(b":status", b"200"), (b"transfer-encoding", b"chunked")],
    "a line end": [(b":status", b"200"), (b"x", b"a\r\nb")],
    "another protocol": [(b":status", b"101")],
    "a signed length": [(b":status", b"200"), (b"content-length", b"+0")],
    "a length that does not come": [(b":status", b"200"), (b"content-length", b"5")],
}


@pytest.mark.parametrize("fields", BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS)
def test_a_malformed_answer_is_no_answer(fields: list[tuple[bytes, bytes]]) -> None:
    line = Line()
    line.client(line.c.request(1))
    line.host(line.h.headers(1, fields, end=True))
    assert line.outcomes[0][3] == "HOST_BROKE"
    assert line.at_client.heads[1][0][0] == (b":status", b"502")
    if not line.closed:
        line.client(line.c.request(3))
        line.host(line.h.answer(3))
        assert line.outcomes[1:] == [(200, 0, 5, "")]


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_an_answer_that_can_have_no_body_has_none(status: bytes) -> None:
    line = Line()
    line.client(line.c.request(1))
    line.host(line.h.headers(1, [(b":status", status)]), data(1, b"SMUGGLED", end=True))
    assert 1 not in line.at_client.bodies
    assert line.at_client.resets == {1: 2}
    assert line.outcomes == [(int(status), 0, 0, "HOST_BROKE")]


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
