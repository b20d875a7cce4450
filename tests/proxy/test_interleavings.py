"""Anything that a client, a host, the network and the proxy's own stop can do, in any order.

What always holds: no byte goes to a host that is not of a request whose decision is on record, and each of its requests
once; every call that was let go on has one outcome; what is kept is bounded; and in the end every transport is closed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from by_hand import ADDRESS, END, HELLO, PretendedTransport, Scene, answer, head, turn
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from brickscope.proxy.tunnel import KEPT
from examples import examples

LONG = b"x" * 3000
REQUESTS = {
    "allowed": head(),
    "another": head("/ok/2"),
    "HEAD": head(method="HEAD"),
    "a body": head(method="PUT", body=b"0123456789"),
    "a long body": head(method="PUT", body=LONG),
    "chunks": head("/ok/1", "Transfer-Encoding: chunked", method="PUT") + b"4\r\nbody\r\n0\r\n\r\n",
    "waits for 100": head("/ok/1", "Expect: 100-continue", "Content-Length: 4", method="PUT"),
    "the last": head("/ok/1", "Connection: close"),
    "denied": head("/other"),
    "a denied body": head("/other", method="PUT", body=LONG),
    "denied chunks": head("/other", "Transfer-Encoding: chunked", method="PUT") + b"4\r\nbody\r\n0\r\n\r\n",
    "a stranger": head(token="dapi" + "0" * 32),
    "malformed": b"GET /ok/1 HTTP/1.1\nHost: h\r\n\r\n",
    "two lengths": head("/ok/1", "Content-Length: 1", "Content-Length: 2", method="PUT") + b"ab",
    "malformed chunks": head("/ok/1", "Transfer-Encoding: chunked", method="PUT") + b"zz\r\n",
    "trailers": head("/ok/1", "Transfer-Encoding: chunked", method="PUT") + b"0\r\nX: y\r\n\r\n",
}
ANSWERS = {
    "whole": answer(b"hello"),
    "empty": answer(),
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "until close": b"HTTP/1.1 200 OK\r\n\r\nall",
    "the last": answer(b"bye", "Connection: close"),
    "long": answer(LONG),
    "malformed": b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
    "two lengths": answer(b"ab", "Content-Length: 3"),
    "two answers": answer(b"a") * 2,
    "a switch": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}


class Interleavings(RuleBasedStateMachine):
    """One tunnel."""

    def __init__(self) -> None:
        super().__init__()
        LOGGED.clear()
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.scene: Scene
        self.sent = b""
        """All that the client has sent within TLS."""

    def run(self, work: Any = None) -> Any:
        """Do something within the loop, and let it turn until nothing is ready."""

        async def do() -> Any:
            found = work() if work is not None else None
            await turn(25)
            return found

        return self.loop.run_until_complete(do())

    @initialize()
    def first(self) -> None:
        self.begin(HELLO)

    @rule(cut=st.integers(0, len(HELLO) - 1))
    @precondition(lambda self: self.client.lost)
    def another_client(self, cut: int) -> None:
        self.check_end()
        self.begin(HELLO[:cut] or HELLO)
        self.run(lambda: self.client.receive(HELLO[cut:] if cut else b""))

    def begin(self, hello: bytes) -> None:
        self.scene, self.sent = Scene(), b""
        self.scene.install(self.loop)
        self.run(lambda: self.scene.begin(hello))

    @property
    def client(self) -> PretendedTransport:
        return self.scene.client

    @property
    def host(self) -> PretendedTransport | None:
        return self.scene.hosts[-1] if self.scene.hosts else None

    # -- the client --------------------------------------------------------------------------------------------

    @rule(names=st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=3), cut=st.integers(0, 400))
    def client_sends(self, names: list[str], cut: int) -> None:
        data = b"".join(REQUESTS[name] for name in names)
        for piece in (data[:cut], data[cut:]):
            if self.run(lambda piece=piece: self.client.receive(piece)):
                self.sent += piece

    @rule(size=st.integers(1, 5000))
    def client_sends_body(self, size: int) -> None:
        if self.run(lambda: self.client.receive(b"x" * size)):
            self.sent += b"x" * size

    @rule(
        name=st.sampled_from(["allowed", "a body", "chunks", "HEAD"]),
        reply=st.sampled_from(["whole", "chunks", "204"]),
    )
    def a_call(self, name: str, reply: str) -> None:
        """A whole one, if nothing else is under way: the other rules would seldom bring one about."""
        self.next_dial(False, True, "ok")
        if self.scene.tunnel._core is not None and self.scene.tunnel._core.phase.name == "IDLE":
            self.client_sends([name], 0)
            self.host_answers("empty" if name == "HEAD" else reply, 0)

    @rule(how=st.sampled_from(["close_notify", "end", "reset", "garbage"]), surely=st.integers(0, 3))
    @precondition(lambda self: not self.client.closed)
    def client_leaves(self, how: str, surely: int) -> None:
        if surely:
            return
        self.run(
            {
                "close_notify": lambda: self.client.receive(END),
                "end": self.client.receive_end,
                "reset": self.client.cut,
                "garbage": lambda: self.client.receive(b"<garbage>"),
            }[how]
        )

    @rule(full=st.booleans())
    def client_takes(self, full: bool) -> None:
        self.run(lambda: self.client.fill(full))

    # -- the host ----------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(sorted(ANSWERS)), cut=st.integers(0, 60))
    def host_answers(self, name: str, cut: int) -> None:
        host = self.host
        if host is not None:
            for piece in (ANSWERS[name][:cut], ANSWERS[name][cut:]):
                self.run(lambda piece=piece: host.receive(piece))

    @rule(how=st.sampled_from(["close_notify", "end", "reset"]))
    def host_leaves(self, how: str) -> None:
        host = self.host
        if host is not None:
            self.run(
                {
                    "close_notify": lambda: host.receive(END),
                    "end": host.receive_end,
                    "reset": lambda: host.closed or host.cut(),
                }[how]
            )

    @rule(full=st.booleans())
    def host_takes(self, full: bool) -> None:
        host = self.host
        if host is not None:
            self.run(lambda: host.fill(full))

    @rule(
        hold=st.booleans(),
        greets=st.booleans(),
        what=st.sampled_from(["ok", "refused", "private", "no name"]),
    )
    def next_dial(self, hold: bool, greets: bool, what: str) -> None:
        scene = self.scene
        scene.hold_dials, scene.greets = hold, greets
        scene.reach = [OSError(111, "refused")] if what == "refused" else []
        scene.addresses = (
            OSError(-2, "no such name")
            if what == "no name"
            else [("10.1.2.3", 443)]
            if what == "private"
            else [ADDRESS]
        )

    @rule()
    def dials_go_on(self) -> None:
        self.run(self.scene.release)

    @rule()
    def host_greets(self) -> None:
        host = self.host
        if host is not None and HELLO not in host.written:
            self.run(lambda: host.receive(HELLO))

    # -- the proxy ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 1.0, 1.0, 3.0, 11.0, 31.0, 601.0]))
    def time_passes(self, seconds: float) -> None:
        for _ in range(2):
            self.run(lambda: self.scene.path.look_at_all(self.now))
            self.now += seconds

    @rule(surely=st.integers(0, 5))
    def the_proxy_stops(self, surely: int) -> None:
        if surely:
            return
        self.scene.gate.draining = True
        self.loop.run_until_complete(self.scene.tunnel.is_busy(late=False))
        self.run(self.scene.tunnel.close_idle)

    # -- what always holds -------------------------------------------------------------------------------------

    @invariant()
    def hosts_get_recorded_requests_and_nothing_else(self) -> None:
        allowed = [record for record in self.scene.log.of("decision") if record["decision"] == "allow"]
        heads = at = 0
        for host in self.scene.hosts:
            sent = host.written.removeprefix(HELLO).removesuffix(END)
            for request in re.split(rb"(?=GET /|PUT /|HEAD /)", sent)[
                1:
            ]:  # bodies of these tests hold no head
                found = self.sent.find(request, at)
                assert found >= 0, "not what the client sent, as it was sent, and in its order"
                assert not request.startswith((b"GET /other", b"PUT /other"))
                at = found + len(request)
                heads += 1
            assert sent == b"" or sent[:4] in (b"GET ", b"PUT ", b"HEAD")
        assert heads <= len(allowed)

    @invariant()
    def a_call_has_one_outcome(self) -> None:
        ids = [record["decision_id"] for record in self.scene.log.of("outcome")]
        assert len(set(ids)) == len(ids)
        assert set(ids) <= {
            record["decision_id"] for record in self.scene.log.of("decision") if record["decision"] == "allow"
        }

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        core = self.scene.tunnel._core
        if core is not None:
            assert core.ahead <= KEPT + 4 * 5000
            if core.ahead > KEPT and not self.client.closed:
                assert self.client.paused

    @invariant()
    def nothing_broke_inside(self) -> None:
        assert self.scene.gate.tally.failures["proxy"] == 0 or self.client.closed
        assert not LOGGED, LOGGED

    def check_end(self) -> None:
        """All is over: nothing is left open, under way or untold."""
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
        assert scene.path.held == 0
        assert scene.gate.tally.in_flight == 0
        assert scene.path.open == {}
        assert not asyncio.all_tasks(self.loop), "a task is left"
        assert not LOGGED, LOGGED

    def teardown(self) -> None:
        if hasattr(self, "scene"):
            self.run(self.scene.tunnel.abort)
            self.check_end()
        self.loop.close()


LOGGED: list[str] = []


class Listening(logging.Handler):
    """Notes what was said of failures inside."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", "") == "hook_failed" or record.name == "asyncio":
            LOGGED.append(record.getMessage())


@pytest.fixture(autouse=True)
def listening() -> Any:
    LOGGED.clear()
    handler = Listening(logging.WARNING)
    for name in ("brickscope", "asyncio"):
        logging.getLogger(name).addHandler(handler)
    yield
    for name in ("brickscope", "asyncio"):
        logging.getLogger(name).removeHandler(handler)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=examples(150),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
