"""Anything that a client and a host can do in frames, whole or broken, with the network and the proxy's stop, in any order.

What always holds: a stream of a host is a request whose decision is on record, and each request is at most one; every call
that was let go on has one outcome; what is kept is bounded; nothing breaks inside; in the end everything is closed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from by_hand import ADDRESS, END, HELLO, TOKEN, PretendedTransport, Scene, turn
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from test_interleavings import LOGGED, listening

from brickscope.proxy.tunnel import KEPT
from brickscope.proxy.wire.peer import MAX_STREAMS, WINDOW

sys.path.append(str(Path(__file__).parent / "wire"))

from http2_by_hand import HOST, Listener, Speaker, data, goaway, ping, pseudo, reset, window
from http2_by_hand import settings as settings_frame

__all__ = ["listening"]
REACHED: Counter[str] = Counter()

AUTHORIZATION = (b"authorization", f"Bearer {TOKEN}".encode())
TARGETS = {"allowed": "/ok/1", "denied": "/other", "HEAD": "/ok/2", "PUT": "/ok/3", "denied PUT": "/other"}


class Interleavings(RuleBasedStateMachine):
    """One tunnel. Streams are numbered as the client opens them; the host answers any of those it has seen."""

    def __init__(self) -> None:
        super().__init__()
        LOGGED.clear()
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.scene = Scene()
        self.scene.contexts.speaks = b"h2"
        self.scene.install(self.loop)
        self.c, self.speakers = Speaker(is_client=True), dict[int, Speaker]()
        self.listeners: dict[int, tuple[Listener, int]] = {}
        self.next = 1
        self.targets: list[str] = []
        self.answered: dict[int, set[int]] = {}
        self.uploads: list[int] = []
        """Streams whose bodies have not ended."""

    def run(self, work: Any = None) -> Any:
        """Do something within the loop, and let it turn until nothing is ready."""

        async def do() -> Any:
            found = work() if work is not None else None
            await turn(25)
            return found

        return self.loop.run_until_complete(do())

    @initialize(both=st.booleans())
    def first(self, both: bool) -> None:
        self.run(lambda: self.scene.begin(HELLO, b"h2", *([b"http/1.1"] if both else [])))
        self.send(self.c.hello)

    @property
    def client(self) -> PretendedTransport:
        return self.scene.client

    @property
    def host(self) -> PretendedTransport | None:
        return self.scene.hosts[-1] if self.scene.hosts else None

    @property
    def h(self) -> Speaker:
        """The speaker of the present host's connection; it says its hello first."""
        number = len(self.scene.hosts)
        if number not in self.speakers:
            self.speakers[number] = made = Speaker(is_client=False)
            host = self.host
            assert host is not None
            self.run(lambda: host.receive(made.hello))
        return self.speakers[number]

    def send(self, *frames: bytes, cut: int = 0) -> None:
        sent = b"".join(frames)
        for piece in (sent[:cut], sent[cut:]):
            self.run(lambda piece=piece: self.client.receive(piece))

    def say(self, *frames: bytes, cut: int = 0) -> None:
        host, sent = self.host, b"".join(frames)
        if host is not None:
            for piece in (sent[:cut], sent[cut:]):
                self.run(lambda piece=piece: host.receive(piece))

    # -- the client --------------------------------------------------------------------------------------------

    @rule(
        names=st.lists(st.sampled_from(sorted(TARGETS)), min_size=1, max_size=4),
        end=st.booleans(),
        size=st.sampled_from([0, 1, 100, 16384]),
        cut=st.integers(0, 300),
    )
    def client_calls(self, names: list[str], end: bool, size: int, cut: int) -> None:
        frames = []
        for name in names:
            method = {"HEAD": "HEAD", "PUT": "PUT", "denied PUT": "PUT"}.get(name, "GET")
            target = f"{TARGETS[name]}?n={self.next}"
            self.targets.append(target)
            bodily = "PUT" in name
            fields = [*pseudo(target, method), AUTHORIZATION]
            frames.append(self.c.headers(self.next, fields, end=not bodily))
            if bodily and (size or end):
                frames.append(data(self.next, b"x" * size, end=end))
            if bodily and not end:
                self.uploads.append(self.next)
            self.next += 2
        self.send(*frames, cut=cut)

    @rule(
        odd=st.integers(0, 9),
        size=st.sampled_from([0, 5, 16384]),
        end=st.booleans(),
        times=st.integers(1, 20),
    )
    @precondition(lambda self: self.uploads)
    def client_sends_body(self, odd: int, size: int, end: bool, times: int) -> None:
        stream = self.uploads[0] if odd else 1
        frames = [data(stream, b"x" * size) for _ in range(times - 1)]
        self.send(*frames, data(stream, b"x" * size, end=end))
        if end and odd:
            self.uploads.pop(0)

    @rule(back=st.integers(0, 5), code=st.sampled_from([0, 8]))
    @precondition(lambda self: self.next > 1)
    def client_resets(self, back: int, code: int) -> None:
        stream = max(self.next - 2 - 2 * back, 1)
        self.send(reset(stream, code))
        self.uploads = [each for each in self.uploads if each != stream]

    @rule(back=st.integers(-3, 5), size=st.sampled_from([1, 1000, 70_000]))
    @precondition(lambda self: self.next > 1)
    def client_opens_a_window(self, back: int, size: int) -> None:
        self.send(window(0 if back < 0 else max(self.next - 2 - 2 * back, 1), size))

    @rule(size=st.sampled_from([0, 1, 65535, 200_000]))
    def client_changes_its_windows(self, size: int) -> None:
        self.send(settings_frame(INITIAL_WINDOW_SIZE=size))

    @rule(
        kind=st.sampled_from(["ping", "trailers", "garbage", "malformed", "goaway"]), surely=st.integers(0, 9)
    )
    def client_is_odd(self, kind: str, surely: int) -> None:
        if (kind in ("garbage", "goaway") and surely) or (kind == "trailers" and not self.uploads):
            return
        if kind == "malformed":
            self.send(self.c.headers(self.next, [*pseudo("/ok/9"), (b"X-Y", b"z")], end=True))
            self.next += 2
        elif kind == "trailers":
            self.send(self.c.headers(self.uploads.pop(), [(b"x", b"y")], end=True))
        else:
            self.send({"ping": ping(), "garbage": b"\xff" * 20, "goaway": goaway(0)}[kind])

    @rule(how=st.sampled_from(["close_notify", "end", "reset"]), surely=st.integers(0, 9))
    @precondition(lambda self: not self.client.closed)
    def client_leaves(self, how: str, surely: int) -> None:
        if not surely:
            self.run(
                {
                    "close_notify": lambda: self.client.receive(END),
                    "end": self.client.receive_end,
                    "reset": self.client.cut,
                }[how]
            )

    @rule(full=st.booleans())
    def client_takes(self, full: bool) -> None:
        self.run(lambda: self.client.fill(full))

    # -- the host ----------------------------------------------------------------------------------------------

    @rule(
        back=st.integers(0, 5),
        status=st.sampled_from([b"200", b"200", b"200", b"200", b"103", b"204", b"20"]),
        size=st.sampled_from([0, 5, 16384]),
        times=st.integers(0, 20),
        end=st.integers(0, 3),
        trailers=st.booleans(),
    )
    @precondition(lambda self: self.host is not None)
    def host_answers(self, back: int, status: bytes, size: int, times: int, end: int, trailers: bool) -> None:
        self.hear()
        number = len(self.scene.hosts)
        heads = self.listeners[number][0].heads
        done = self.answered.setdefault(number, set())
        seen = sorted(set(heads) - done)
        if not seen:
            return
        stream = seen[max(len(seen) - 1 - back, 0)]
        speaker = self.h
        frames = [speaker.headers(stream, [(b":status", status), (b"x-brickscope-a", b"b")])]
        if status != b"103":
            done.add(stream)
            if status != b"204" and dict(heads[stream][0])[b":method"] != b"HEAD":
                frames += [data(stream, b"y" * size) for _ in range(times)]
            if end:
                last = speaker.headers(stream, [(b"grpc-status", b"0")], end=True)
                frames.append(last if trailers else data(stream, end=True))
        self.say(*frames)

    @rule(back=st.integers(0, 5), code=st.sampled_from([0, 7]))
    @precondition(lambda self: self.host is not None)
    def host_resets(self, back: int, code: int) -> None:
        self.hear()
        seen = sorted(self.listeners[len(self.scene.hosts)][0].heads)
        if seen:
            self.h  # noqa: B018 - it says its hello
            self.say(reset(seen[max(len(seen) - 1 - back, 0)], code))

    @rule(size=st.sampled_from([1, 70_000]), back=st.integers(-2, 5))
    @precondition(lambda self: self.host is not None)
    def host_opens_a_window(self, size: int, back: int) -> None:
        self.hear()
        seen = sorted(self.listeners[len(self.scene.hosts)][0].heads)
        self.h  # noqa: B018 - it says its hello
        self.say(window(0 if back < 0 or not seen else seen[max(len(seen) - 1 - back, 0)], size))

    @rule(last=st.sampled_from([0, 1, 5, 2**31 - 1]), surely=st.integers(0, 2))
    @precondition(lambda self: self.host is not None)
    def host_goes_away(self, last: int, surely: int) -> None:
        if not surely:
            self.h  # noqa: B018
            self.say(goaway(last))

    @rule(how=st.sampled_from(["close_notify", "end", "reset", "garbage"]), surely=st.integers(0, 9))
    @precondition(lambda self: self.host is not None)
    def host_leaves(self, how: str, surely: int) -> None:
        host = self.host
        if host is not None and not surely:
            self.run(
                {
                    "close_notify": lambda: host.receive(END),
                    "end": host.receive_end,
                    "reset": lambda: host.closed or host.cut(),
                    "garbage": lambda: host.receive(b"\xff" * 20),
                }[how]
            )

    @rule(full=st.booleans())
    @precondition(lambda self: self.host is not None)
    def host_takes(self, full: bool) -> None:
        host = self.host
        if host is not None:
            self.run(lambda: host.fill(full))

    @rule(hold=st.booleans(), what=st.sampled_from(["ok", "ok", "refused", "private"]))
    def next_dial(self, hold: bool, what: str) -> None:
        scene = self.scene
        scene.hold_dials = hold
        scene.reach = [OSError(111, "refused")] if what == "refused" else []
        scene.addresses = [("10.1.2.3", 443)] if what == "private" else [ADDRESS]

    @rule()
    def dials_go_on(self) -> None:
        self.run(self.scene.release)

    @rule(name=st.sampled_from(["allowed", "PUT", "HEAD"]), size=st.sampled_from([0, 5, 16384]))
    def a_call(self, name: str, size: int) -> None:
        """A whole one, if anything can be: the other rules would seldom bring one about."""
        core = self.scene.tunnel._core
        if core is not None and core.phase.name != "OVER" and not self.client.full:
            self.next_dial(False, "ok")
            self.dials_go_on()
            self.client_calls([name], True, size, 0)
            if self.host is not None:
                self.host_answers(0, b"200", size, 1, 1, False)

    # -- the proxy ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 1.0, 1.0, 1.0, 1.0, 31.0, 601.0]))
    def time_passes(self, seconds: float) -> None:
        for _ in range(2):
            self.run(lambda: self.scene.path.look_at_all(self.now))
            self.now += seconds

    @rule(surely=st.integers(0, 5), late=st.booleans())
    def the_proxy_stops(self, surely: int, late: bool) -> None:
        if not surely:
            self.scene.gate.draining = True
            self.loop.run_until_complete(self.scene.tunnel.is_busy(late=late))
            self.run(self.scene.tunnel.close_idle)

    # -- what always holds -------------------------------------------------------------------------------------

    def hear(self) -> None:
        """Read what hosts were sent."""
        for number, host in enumerate(self.scene.hosts, 1):
            listener, at = self.listeners.get(number, (Listener(is_host=True), len(HELLO)))
            sent = host.written[at:].removesuffix(END)
            list(listener.hear(sent))
            self.listeners[number] = (listener, at + len(sent))

    @invariant()
    def hosts_get_recorded_requests_and_nothing_else(self) -> None:
        self.hear()
        allowed = {
            record["path"] for record in self.scene.log.of("decision") if record["decision"] == "allow"
        }
        sent = []
        for listener, _ in self.listeners.values():
            for heads in listener.heads.values():
                fields = dict(heads[0])
                assert len(heads) == 1, "a second head on a stream"
                assert heads[0][-1] == AUTHORIZATION
                assert fields[b":authority"] == HOST.encode()
                sent.append(fields[b":path"].decode())
        assert len(set(sent)) == len(sent), "a request was sent twice"
        assert set(sent) <= set(self.targets)
        assert {path.partition("?")[0] for path in sent} <= allowed

    @invariant()
    def a_call_has_one_outcome(self) -> None:
        ids = [record["decision_id"] for record in self.scene.log.of("outcome")]
        assert len(set(ids)) == len(ids)
        assert set(ids) <= {
            record["decision_id"] for record in self.scene.log.of("decision") if record["decision"] == "allow"
        }

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        core: Any = getattr(self.scene.tunnel, "_core", None) if hasattr(self.scene, "tunnel") else None
        if core is None:
            return
        streams = core._calls.by_client.values()
        assert len(streams) <= MAX_STREAMS
        assert sum(stream.ask.waiting for stream in streams) <= WINDOW
        assert sum(stream.tell.waiting for stream in streams) <= WINDOW + MAX_STREAMS * 2000
        assert core.ahead == sum(stream.weight for stream in streams)
        assert core.ahead <= KEPT + 4 * 5000

    @invariant()
    def nothing_broke_inside(self) -> None:
        assert self.scene.gate.tally.failures["proxy"] == 0 or self.client.closed
        assert not LOGGED, LOGGED

    def teardown(self) -> None:
        if hasattr(self.scene, "tunnel"):
            self.run(self.scene.tunnel.abort)
            self.run(self.scene.release)
            scene = self.scene
            assert scene.ended == 1
            for transport in (self.client, *scene.hosts):
                assert transport.closed
                assert transport.lost
            allowed = {
                record["decision_id"] for record in scene.log.of("decision") if record["decision"] == "allow"
            }
            assert {record["decision_id"] for record in scene.log.of("outcome")} == allowed
            assert (scene.path.held, scene.gate.tally.in_flight) == (0, 0)
            assert scene.path.open == {}
            assert not asyncio.all_tasks(self.loop), "a task is left"
            assert not LOGGED, LOGGED
            outcomes = scene.log.of("outcome")
            REACHED["sent"] += bool(self.listeners)
            REACHED["answered"] += any(each["status"] for each in outcomes)
            REACHED["whole"] += any("error" not in each for each in outcomes)
            REACHED["broke"] += any("error" in each for each in outcomes)
            REACHED["denied"] += len(scene.log.of("decision")) > len(allowed)
        self.loop.close()


@pytest.mark.no_cover  # a property
def test_whatever_happens() -> None:
    examples = int(os.environ.get("BRICKSCOPE_FUZZ", "100"))
    REACHED.clear()
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=examples * 2,  # how many of 100 get far varies: 7 once, where 10 have to
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for what, one_of in {"sent": 2, "answered": 10, "whole": 12, "broke": 10, "denied": 40}.items():
        assert REACHED[what] >= examples // one_of, REACHED
