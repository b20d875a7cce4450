"""HTTP/2 from frame to frame: what each side gets for what the other sends, whole and in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from http2_line import Line

from brickscope.core.reason import Reason
from brickscope.proxy.wire.peer import ALL_STREAMS
from http2_by_hand import HOST, PUT, announcing, data, goaway, pseudo, reset

Story = Callable[[Line], None]
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
