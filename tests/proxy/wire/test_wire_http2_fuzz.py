"""Frames by hyperframe, then broken at random, against both roles of the HTTP/2 core.

Whatever comes: nothing raises, each call that was cleared ends once, a host's stream is a cleared call, and all that is kept
is given back. ``BRICKSCOPE_FUZZ=100000`` makes so many examples.
"""

from __future__ import annotations

from http2_line import Line, clear
from hypothesis import settings
from hypothesis import strategies as st

from brickscope.proxy.wire.events import Fault
from brickscope.proxy.wire.peer import WINDOW
from examples import examples
from http2_by_hand import data, goaway, ping, pseudo, reset, window
from http2_by_hand import settings as settings_frame
from reaching import reaching

EXAMPLES = examples(400)

STREAMS = st.sampled_from([1, 1, 3, 3, 5, 0, 2, 7])
TARGETS = st.sampled_from(["/ok", "/ok", "/deny", "/hold", "/wait", "/monitor"])
SIZES = st.sampled_from([0, 1, 8, 100, 16384])
MUTATIONS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=2)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["client", "client", "host"]),
        st.sampled_from(
            [
                *("head", "head", "head", "data", "data", "reset", "window", "settings", "ping", "goaway"),
                *("trailers", "rule", "continuation", "noise"),
            ]
        ),
        STREAMS,
        TARGETS,
        SIZES,
        st.booleans(),
        st.sampled_from([[], [], [], None]) | MUTATIONS,
    ),
    max_size=25,
)
Step = tuple[str, str, int, str, int, bool, list[tuple[int, int]] | None]


def bytes_of(line: Line, step: Step) -> bytes:
    """The frame of a step, before it is broken."""
    side, kind, stream, target, size, end, _ = step
    speaker = line.c if side == "client" else line.h
    if kind == "head":
        fields = pseudo(target, "PUT") if side == "client" else [(b":status", b"200"), (b"x", b"y")]
        return speaker.headers(stream, fields, end=end, parts=1 + size % 3)
    made = {
        "data": lambda: data(stream, b"x" * size, end=end, pad=5 if size == 8 else None),
        "reset": lambda: reset(stream, size),
        "window": lambda: window(stream, max(size, 1)),
        "settings": lambda: settings_frame(INITIAL_WINDOW_SIZE=size, HEADER_TABLE_SIZE=size),
        "ping": ping,
        "goaway": lambda: goaway(stream),
        "trailers": lambda: speaker.headers(stream, [(b"x", b"y")], end=end),
        "continuation": lambda: b"\x00\x00\x01\x09\x00" + stream.to_bytes(4, "big") + b"x",
        "noise": lambda: bytes((size + at) % 256 for at in range(20)),
    }
    return made[kind]()


def play(line: Line, steps: list[Step]) -> None:
    """Do it all, after a call has begun; what waits for a ruling gets one at a step ``rule``."""
    line.client(line.c.headers(1, pseudo("/ok", "PUT")))
    for step in steps:
        side, kind, *_, mutations = step
        if kind == "rule":
            for judge in line.waiting:
                line.do(line.core.rule(judge.exchange, clear(judge.head)))
            line.waiting.clear()
            continue
        nowhere = step[2] == 0 and kind in ("head", "data", "reset", "trailers")
        sent = bytearray(bytes_of(line, (*step[:2], 1, *step[3:]) if nowhere else step))
        if nowhere:  # which hyperframe would not write
            sent[5:9] = bytes(4)
        for at, value in mutations or []:
            sent[at % len(sent)] = value
        if side == "host" and (line.core._calls.host is None or "host" in line.closed):
            continue
        (line.client if side == "client" else line.host)(bytes(sent))


@reaching(0.3, STEPS, st.booleans(), st.sampled_from([0, 0, 1, 7]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_comes(steps: list[Step], wide: bool, split: int) -> bool:
    line = Line(split=split)
    if wide:
        line.client(settings_frame(INITIAL_WINDOW_SIZE=1 << 20), window(0, 1 << 20))
    play(line, steps)
    core = line.core
    streams = list(core._calls.by_client.values())
    assert sum(stream.ask.waiting for stream in streams) <= WINDOW
    assert core.ahead == sum(stream.weight for stream in streams)
    line.do(core.break_off(Fault.CUT))
    assert set(line.closed) == {"client", "host"}
    assert all(dict(heads[0])[b":path"] != b"/deny" for heads in line.at_host.heads.values())
    assert len(line.outcomes) >= len(line.at_host.heads)
    assert core._calls.by_host == core._calls.by_client == {}
    assert (core.held, core.ahead) == (0, 0)
    return len(line.story) > 6


@reaching(0.1, STEPS, st.sampled_from([1, 2, 9, 30]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_pieces_are_as_good_as_the_whole(steps: list[Step], split: int) -> bool:
    """What a host was sent, and what came of each call; races between the two sides are kept out by taking turns."""
    found = []
    for size in (0, split):
        line = Line(split=size)
        play(line, steps)
        found.append(
            (
                line.at_host.heads,
                line.at_host.bodies,
                line.at_client.heads,
                line.at_client.resets,
                line.outcomes,
            )
        )
    assert found[0] == found[1]
    return len(found[0][4]) > 0
