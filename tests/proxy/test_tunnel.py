"""A tunnel: what it does with both sides, in which order, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from by_hand import ADDRESS, END, HELLO, OK, UPDATE, Scene, answer, call, head, outcomes, play, turn

from brickscope.core.decision import Refused
from brickscope.core.policy import Mode
from brickscope.core.reason import Reason
from brickscope.proxy.gate import Gate
from brickscope.proxy.tls import Stage

ENDS: dict[str, Callable[[Scene], object]] = {
    "close_notify": lambda scene: scene.client.receive(END),
    "TCP ends": lambda scene: scene.client.receive_end(),
    "reset": lambda scene: scene.client.cut(),
    "a record that is none": lambda scene: scene.client.receive(b"<garbage>"),
}


def test_a_call_goes_through_and_leaves_its_records() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        assert scene.client.written == HELLO
        scene.client.receive(head())
        await turn()
        # The decision is on record before the first byte leaves, and even before anything is dialled.
        assert [record["event"] for record in scene.log.records] == ["decision"]
        assert scene.host.written == HELLO + head()
        scene.host.receive(OK)
        await turn()
        assert scene.client.written == HELLO + OK

    scene = play(story)
    assert scene.dials == [(*ADDRESS, None)]
    assert outcomes(scene) == [(200, "")]
    tally = scene.gate.tally
    assert (tally.in_flight, tally.outcomes["2xx"], tally.bytes) == (0, 1, {"request": 0, "response": 5})


def test_a_denied_call_dials_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/other"))
        await turn()
        assert b"403 Forbidden" in scene.client.written
        assert not scene.client.closed

    scene = play(story)
    assert (scene.dials, outcomes(scene)) == ([], [])


def test_without_a_log_nothing_leaves() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.log.is_failing = True
        scene.client.receive(head())
        await turn()
        assert b"audit_unavailable" in scene.client.written

    assert play(story).dials == []


def test_what_is_judged_in_one_turn_is_on_record_before_any_of_it_goes_on() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        was = scene.host.written, scene.client.written
        scene.client.receive(head("/ok/2"))
        assert [each["path"] for each in scene.log.batch] == ["/ok/2"]
        assert (scene.host.written, scene.client.written, len(scene.log.of("decision"))) == (*was, 1)
        await asyncio.sleep(0)
        assert (scene.log.batch, len(scene.log.of("decision"))) == (None, 2)
        assert scene.host.written.endswith(head("/ok/2"))

    play(story)


def test_a_verdict_whose_record_is_lost_is_a_denial() -> None:
    """The disk is full between the decision and the write."""

    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        was = scene.host.written
        scene.client.receive(head("/ok/2"))
        scene.log.is_failing = True
        await turn()
        assert scene.host.written == was
        assert b"audit_unavailable" in scene.client.written

    scene = play(story)
    assert outcomes(scene) == [(200, "")]
    assert scene.gate.tally.decisions[("(unknown)", False, "audit_unavailable", "enforce", True)] == [1]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("target", ["/ok/2", "/other"])
def test_a_client_that_leaves_in_the_turn_of_its_request(target: str, end: Callable[[Scene], object]) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        scene.client.receive(head(target))
        end(scene)
        await turn()
        told = target == "/other" and end is not ENDS["reset"]
        assert (b"403 Forbidden" in scene.client.written) is told

    scene = play(story)
    assert outcomes(scene)[1:] == ([(None, "the client left")] if target == "/ok/2" else [])


def test_what_a_host_sends_in_the_turn_of_a_request_is_no_answer_to_it() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        was = scene.host.written
        scene.client.receive(head("/ok/2"))
        scene.host.receive(OK)
        await turn()
        assert scene.host.written.removesuffix(END) == was
        assert scene.client.written == HELLO + OK + END

    ended = outcomes(play(story))
    assert ended == [(200, ""), (None, "the host sent more than its answer: before a request")]


def test_a_host_that_closed_while_idle_is_dialled_again() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        scene.host.receive(END)
        await turn()
        assert (scene.host.closed, scene.client.closed) == ("closed", "")
        await call(scene)

    scene = play(story)
    assert len(scene.hosts) == 2
    assert outcomes(scene) == [(200, "")] * 2


def test_a_request_is_not_sent_twice_when_the_host_closes_at_that_moment() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        scene.client.receive(head("/ok/2"))
        await asyncio.sleep(0)
        scene.host.receive(END)
        await turn()
        assert b"502 Bad Gateway" in scene.client.written
        assert scene.client.written.endswith(END)

    scene = play(story)
    assert len(scene.hosts) == 1
    assert outcomes(scene) == [(200, ""), (None, "the host left before its answer was complete")]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_client_that_leaves_ends_its_call(end: Callable[[Scene], object]) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head())
        await turn()
        end(scene)
        await turn()
        assert scene.host.closed == "aborted"

    scene = play(story)
    assert outcomes(scene) == [(None, "the client left")]
    assert (scene.client.closed, scene.ended) == ("aborted", 1)
    assert scene.gate.tally.failures["client"] == 1


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_client_that_leaves_while_its_host_is_dialled(end: Callable[[Scene], object]) -> None:
    async def story(scene: Scene) -> None:
        scene.hold_dials = True
        scene.begin()
        scene.client.receive(head())
        await turn()
        end(scene)
        await turn()
        scene.release()
        await turn()
        assert not scene.hosts or (scene.host.written == b"" and scene.host.closed)

    scene = play(story)
    assert outcomes(scene) == [(None, "the client left")]


HOST_ENDS: dict[str, tuple[Callable[[Scene], object], bool]] = {
    "close_notify": (lambda scene: scene.host.receive(END), True),
    "TCP ends": (lambda scene: scene.host.receive_end(), False),
    "reset": (lambda scene: scene.host.cut(), False),
    "a record that is none": (lambda scene: scene.host.receive(b"<garbage>"), False),
}


@pytest.mark.parametrize(("end", "clean"), HOST_ENDS.values(), ids=HOST_ENDS)
def test_an_answer_without_a_length_is_whole_only_if_tls_says_so(
    end: Callable[[Scene], object], clean: bool
) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.host.receive(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        end(scene)
        await turn()
        assert b"all of it" in scene.client.written
        assert scene.client.written.endswith(END) is clean
        assert (scene.client.closed == "aborted") is not clean

    scene = play(story)
    assert outcomes(scene) == [(200, "" if clean else "the host left before its answer was complete")]


def test_what_comes_in_one_segment_with_close_notify_is_not_lost() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.host.receive(answer(b"last", "Connection: close") + END)
        await turn()
        assert scene.client.written.endswith(answer(b"last", "Connection: close") + END)

    assert outcomes(play(story)) == [(200, "")]


def test_an_answer_goes_out_before_its_connection_is_closed_though_more_comes_in() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/other", "Content-Length: 1000000", "Expect: 100-continue", method="PUT"))
        await turn()
        assert scene.client.written.endswith(END)
        assert scene.client.eof_written
        assert not scene.client.closed
        scene.client.receive(b"x" * 200_000)
        assert not scene.client.closed
        scene.client.receive(b"x" * 100_000)
        assert scene.client.closed == "aborted", "there is a limit to what is dropped"

    play(story)


def test_the_host_is_not_read_while_the_client_takes_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.host.receive(answer(b"x" * 100)[:-50])
        scene.client.fill(True)
        assert scene.host.paused
        scene.client.fill(False)
        assert not scene.host.paused

    play(story)


def test_a_client_that_takes_nothing_may_still_send_its_body() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 4", method="PUT"))
        await turn()
        scene.client.fill(True)
        assert scene.client.receive(b"body")
        assert scene.host.written.endswith(b"body")

    play(story)


def test_the_client_is_not_read_while_the_host_takes_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 100", method="PUT"))
        await turn()
        scene.host.fill(True)
        assert scene.client.paused
        scene.host.receive(END)  # and with the host goes the reason
        assert not scene.client.paused

    play(story)


def test_a_client_that_reads_no_answers_gets_no_more_of_them() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        scene.client.fill(True)
        scene.client.receive(head("/other") * 2000)
        await turn()
        assert scene.log.of("decision") == []
        assert scene.client.paused, "no more is read than can be kept"
        scene.client.fill(False)
        await turn(2100)
        assert len(scene.log.of("decision")) == 2000
        assert not scene.client.paused

    play(story)


def test_requests_of_one_connection_leave_others_their_turn() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        scene.client.receive(head("/other") * 100)
        for number in range(1, 4):
            await asyncio.sleep(0)
            assert len(scene.log.of("decision")) == number
        await turn(120)
        assert len(scene.log.of("decision")) == 100
        assert scene.client.written.count(b"403 Forbidden") == 100

    play(story)


@pytest.mark.parametrize("side", ["client", "host"])
def test_what_tls_has_to_say_does_not_pile_up(side: str) -> None:
    """A side that sends KeyUpdates and little else would fill the memory with the answers to them."""

    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 100000", method="PUT"))
        await turn()
        flooded = scene.client if side == "client" else scene.host
        before = len(flooded.written)
        for _ in range(20):
            flooded.receive(UPDATE * 1000 + (b"x" if side == "client" else b""))
        answered = flooded.written[before:].count(UPDATE)
        assert answered >= 20_000 - 10_000
        assert not flooded.closed
        flooded.fill(True)
        for _ in range(200):
            flooded.receive(UPDATE * 1000)
        assert flooded.closed == "aborted"
        await turn()
        assert len(scene.log.of("outcome")) == 1

    play(story)


# -- monitor ----------------------------------------------------------------------------------------------------


def test_in_monitor_a_denied_call_goes_on_and_has_its_outcome() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene, head("/other"))

    scene = play(story, Scene(mode=Mode.MONITOR))
    (decision,) = scene.log.of("decision")
    assert (decision["decision"], decision["enforced"]) == ("deny", False)
    assert outcomes(scene) == [(200, "")]


def test_a_call_without_a_reading_goes_on_only_if_its_end_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a policy lets an odd request go on, its bytes go on; but never a body whose end could be read in two ways."""
    judge = Gate.judge

    def forward_all(gate: Gate, wire: Any, address: Any, *_: Any) -> Any:
        verdict = judge(gate, wire, address, Refused(Reason.HEADER_FORBIDDEN, "odd"))
        return verdict._replace(decision=verdict.decision._replace(enforced=False), request=None)

    monkeypatch.setattr(Gate, "judge", forward_all)

    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene, head("/ok/1", "X-Odd: 1", method="PUT", body=b"body"))
        assert scene.host.written.endswith(head("/ok/1", "X-Odd: 1", method="PUT", body=b"body"))
        before = scene.host.written
        scene.client.receive(head("/ok/1", "Content-Length: 3", method="PUT", body=b"body"))
        await turn()
        assert scene.host.written == before + END
        assert b"internal_error" in scene.client.written

    play(story)


# -- the stop ---------------------------------------------------------------------------------------------------


def test_while_the_proxy_stops_the_next_answer_is_the_last() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        scene.gate.draining = True
        assert not await scene.tunnel.is_busy(late=False)
        scene.client.receive(head())
        await turn()
        assert await scene.tunnel.is_busy(late=False)
        scene.host.receive(OK)
        await turn()
        assert b"connection: close" in scene.client.written
        assert scene.client.written.endswith(END)

    play(story)


def test_a_denial_is_the_last_answer_as_well() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.gate.draining = True
        scene.client.receive(head("/other"))
        await turn()
        assert b"connection: close" in scene.client.written
        assert scene.client.written.endswith(END)

    play(story)


def test_an_idle_connection_is_closed_and_a_busy_one_cut_with_its_outcome() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        scene.client.receive(head())
        await turn()
        scene.tunnel.close_idle()
        assert not scene.client.closed
        scene.tunnel.abort()
        await turn()
        assert scene.client.closed == "aborted"

    assert outcomes(play(story))[1] == (None, "the proxy stopped")


def test_a_connection_that_is_within_its_handshake_is_idle() -> None:
    async def story(scene: Scene) -> None:
        scene.begin(b"<")
        assert not await scene.tunnel.is_busy(late=True)
        scene.tunnel.close_idle()
        await turn()

    scene = play(story)
    assert scene.client.closed == "aborted"
    assert scene.log.of("tls_refused") == []


def test_a_tunnel_is_told_in_one_line() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)
        assert repr(scene.tunnel) == (
            "<Tunnel client <End UP> <reading> host <Upstream UP <End UP>> <reading> <Http1 IDLE UP None ahead=0>>"
        )
        assert scene.tunnel.hosts == 1

    assert play(story).client.protocol.stage is Stage.UP
