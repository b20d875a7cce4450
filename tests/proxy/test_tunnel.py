"""A tunnel: what it does with both sides, in which order, and what it leaves behind."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Collection
from typing import Any

import pytest
from by_hand import ADDRESS, END, HELLO, UPDATE, Scene, answer, head, play, turn

from brickscope.core.decision import Refused
from brickscope.core.pending import NotYetKnown
from brickscope.core.policy import Mode
from brickscope.core.reason import Reason
from brickscope.proxy import tunnel as tunnel_module
from brickscope.proxy.call import Call
from brickscope.proxy.gate import Gate
from brickscope.proxy.tls import End, Stage
from brickscope.proxy.tunnel import IN_TURN, KEPT, Tunnel
from brickscope.proxy.upstream import Upstream
from brickscope.proxy.wire.http1 import Http1

OK = answer(b"hello")


async def call(scene: Scene, request: bytes | None = None, reply: bytes = OK) -> None:
    """One allowed call on a tunnel that has begun."""
    scene.client.receive(head() if request is None else request)
    await turn()
    scene.host.receive(reply)
    await turn()


def outcomes(scene: Scene) -> list[tuple[int | None, str]]:
    return [(record["status"], record.get("error", "")) for record in scene.log.of("outcome")]


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
        scene.host.receive(END)
        await turn()
        assert b"502 Bad Gateway" in scene.client.written
        assert scene.client.written.endswith(END)

    scene = play(story)
    assert len(scene.hosts) == 1
    assert outcomes(scene) == [(200, ""), (None, "the host left before its answer was complete")]


ENDS: dict[str, Callable[[Scene], object]] = {
    "close_notify": lambda scene: scene.client.receive(END),
    "TCP ends": lambda scene: scene.client.receive_end(),
    "reset": lambda scene: scene.client.cut(),
    "a record that is none": lambda scene: scene.client.receive(b"<garbage>"),
}


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
        await turn(300)
        assert len(scene.log.of("decision")) == 2000
        assert not scene.client.paused

    play(story)


def test_requests_of_one_connection_leave_others_their_turn() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        scene.client.receive(head("/other") * 100)
        assert len(scene.log.of("decision")) == IN_TURN
        await asyncio.sleep(0)
        assert len(scene.log.of("decision")) == 2 * IN_TURN
        await turn()
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


def test_what_is_sent_before_the_host_is_there_is_bounded() -> None:
    async def story(scene: Scene) -> None:
        scene.hold_dials = True
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 10000000", method="PUT") + b"x" * KEPT)
        await turn()
        assert scene.client.paused
        scene.release()
        await turn()
        assert not scene.client.paused
        assert len(scene.host.written) > KEPT

    play(story)


DIALS: dict[str, tuple[dict[str, Any], str]] = {
    "its name has no address": (
        {"addresses": OSError(-2, "Name or service not known")},
        "Name or service not known",
    ),
    "no address at all": ({"addresses": []}, "its name has no address"),
    "nobody listens": ({"reach": [ConnectionRefusedError(111, "refused")]}, "refused"),
    "a private address": (
        {"addresses": [("10.1.2.3", 443)]},
        "the host leads to a private or local address",
    ),
}


@pytest.mark.parametrize(("changes", "why"), DIALS.values(), ids=DIALS)
def test_a_host_that_cannot_be_reached(changes: dict[str, Any], why: str) -> None:
    async def story(scene: Scene) -> None:
        for name, value in changes.items():
            setattr(scene, name, value)
        scene.begin()
        scene.client.receive(head())
        await turn()
        assert b"502 Bad Gateway" in scene.client.written
        assert scene.client.written.endswith(END)
        assert all(host.written == b"" for host in scene.hosts), "not even a ClientHello"

    scene = play(story)
    assert outcomes(scene) == [(None, f"the host could not be reached: {why}")]
    assert scene.gate.tally.connect_failures == 1
    assert all(host.closed for host in scene.hosts)


def test_a_private_address_is_recorded() -> None:
    async def story(scene: Scene) -> None:
        scene.addresses = [("169.254.169.254", 443)]
        scene.begin()
        scene.client.receive(head())
        await turn()

    (record,) = play(story).log.of("tunnel")
    assert (record["reason"], record["decision"]) == ("address_not_allowed", "deny")


def test_the_proxy_itself_is_no_host() -> None:
    async def story(scene: Scene) -> None:
        scene.gate.destinations.own_ports.add(443)
        scene.addresses = [("10.0.0.1", 443)]
        scene.gate.destinations.allowed = (ipaddress.ip_network("10.0.0.0/8"),)
        scene.begin()
        scene.client.receive(head())
        await turn()

    (record,) = play(story).log.of("tunnel")
    assert record["detail"] == "the host leads to the proxy"


def test_the_next_address_is_tried() -> None:
    async def story(scene: Scene) -> None:
        scene.addresses = [("8.8.4.4", 443), ADDRESS]
        scene.reach = [ConnectionRefusedError(111, "refused")]
        scene.begin()
        await call(scene)

    scene = play(story)
    assert [dial[0] for dial in scene.dials] == ["8.8.4.4", "8.8.8.8"]
    assert outcomes(scene) == [(200, "")]


def test_no_other_address_is_tried_after_a_certificate_that_is_not_trusted() -> None:
    async def story(scene: Scene) -> None:
        scene.addresses = [ADDRESS, ("8.8.4.4", 443)]
        scene.greets = False
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.host.receive(b"<alert>")
        await turn()
        assert b"502" in scene.client.written

    scene = play(story)
    assert len(scene.dials) == 1
    (record,) = scene.log.of("tls_refused")
    assert (record["side"], record["server_address"]) == ("server", "dbc-a.cloud.databricks.com")


def test_a_host_that_hangs_up_within_its_handshake() -> None:
    async def story(scene: Scene) -> None:
        scene.greets = False
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.host.receive_end()
        await turn()

    scene = play(story)
    assert outcomes(scene) == [(None, "the host could not be reached: TLS: it hung up")]
    assert scene.log.of("tls_refused")[0]["cause"] == "closed_by_server"


@pytest.mark.parametrize("end", ["<end>", "<garbage>", ""])
def test_a_host_that_leaves_right_after_its_handshake(end: str) -> None:
    async def story(scene: Scene) -> None:
        scene.greets = False
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.host.receive(HELLO + end.encode())
        if not end:
            scene.host.receive_end()
        await turn()
        assert b"502" in scene.client.written

    scene = play(story)
    assert outcomes(scene) == [(None, "the host could not be reached: it hung up after the handshake")]


def test_a_host_that_speaks_before_it_is_asked() -> None:
    async def story(scene: Scene) -> None:
        scene.greets = False
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.host.receive(HELLO + OK)
        await turn()
        assert OK not in scene.client.written

    scene = play(story)
    assert outcomes(scene) == [(None, "the host sent more than its answer: before a request")]
    assert head() not in scene.host.written


def test_the_option_connect_addr_is_where_hosts_are_dialled_from() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await call(scene)

    assert play(story, Scene(local="10.0.0.9")).dials == [(*ADDRESS, ("10.0.0.9", 0))]


def test_a_client_that_does_not_trust_us_is_recorded() -> None:
    async def story(scene: Scene) -> None:
        scene.begin(b"<alert>")
        await turn()

    scene = play(story)
    (record,) = scene.log.of("tls_refused")
    assert (record["side"], record["cause"]) == ("client", "ca_unknown")
    assert (scene.client.closed, scene.ended) == ("closed", 1)


def test_a_client_that_hangs_up_within_its_handshake_is_recorded() -> None:
    async def story(scene: Scene) -> None:
        scene.begin(b"<")
        await turn()
        scene.client.receive_end()

    assert play(story).log.of("tls_refused")[0]["cause"] == "closed_by_client"


# -- waiting for keys -------------------------------------------------------------------------------------------


class Directory:
    """Learns when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: asyncio.Future[None] | None = None

    async def learn(self, unknown: NotYetKnown) -> None:
        self.asked.append(unknown.url)
        self.done = asyncio.get_running_loop().create_future()
        await self.done

    def settled(self, urls: Collection[str]) -> Directory:
        return self


def waiting(monkeypatch: pytest.MonkeyPatch, scene: Scene, urls: list[str]) -> Directory:
    """Have the gate need these documents, one after the other."""
    directory: Any = Directory()
    scene.gate.directory = directory
    judge = Gate.judge

    def judge_when_known(
        gate: Gate, wire: Any, address: Any, refused: Any, body: Any, settled: Any, unread: Any
    ) -> Any:
        for url in urls:
            if url not in settled:
                raise NotYetKnown(url)
        return judge(gate, wire, address, refused, body, settled, unread)

    monkeypatch.setattr(Gate, "judge", judge_when_known)
    return directory  # type: ignore[no-any-return]


def test_a_request_waits_for_keys_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys", "more"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        assert (directory.asked, scene.dials) == (["keys"], [])
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert directory.asked == ["keys", "more"]
        directory.done.set_result(None)
        await turn()
        scene.host.receive(OK)

    assert outcomes(play(story)) == [(200, "")]


def test_a_client_that_leaves_while_its_request_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.client.cut()
        await turn()
        assert directory.done
        assert directory.done.cancelled()

    scene = play(story)
    assert scene.log.records == []
    assert scene.dials == []


def test_a_body_that_comes_while_its_request_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 100000000", method="PUT"))
        await turn()
        scene.client.receive(b"x" * (KEPT + 1))
        assert scene.client.paused
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert not scene.client.paused
        assert len(scene.host.written) > KEPT

    play(story)


def test_keys_that_cannot_be_waited_for_are_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        assert directory.done
        directory.done.set_exception(RuntimeError("secret"))
        await turn()
        assert b"403 Forbidden" in scene.client.written
        assert scene.client.written.endswith(END)

    scene = play(story)
    assert scene.dials == []
    assert [record["reason"] for record in scene.log.of("decision")] == ["internal_error"]


def test_nor_is_anything_waited_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, [])

        def never_known(*_: Any) -> Any:
            raise NotYetKnown("keys")

        monkeypatch.setattr(Gate, "judge", never_known)
        scene.begin()
        scene.client.receive(head())
        await turn()
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert directory.asked == ["keys"]
        assert b"internal_error" in scene.client.written

    assert play(story).dials == []


def test_what_raises_after_the_wait_ends_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        directory = waiting(monkeypatch, scene, ["keys"])
        scene.begin()
        scene.client.receive(head())
        await turn()
        monkeypatch.setattr(Http1, "rule", broken)
        assert directory.done
        directory.done.set_result(None)
        await turn()
        assert scene.client.closed == "aborted"

    assert len(outcomes(play(story))) == 1


# -- whatever raises --------------------------------------------------------------------------------------------


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("dapi-secret")


RAISING: dict[str, tuple[Any, str]] = {
    "the core, on bytes of the client": (Http1, "from_client"),
    "the core, on a ruling": (Http1, "rule"),
    "the core, on the host being there": (Http1, "host_up"),
    "the core, on bytes of the host": (Http1, "from_host"),
    "the ruling": (tunnel_module, "rule"),
    "the decision": (Gate, "judge"),
    "carrying out": (Tunnel, "_carry_out"),
    "asking": (Tunnel, "_ask"),
    "the record of the call": (Call, "leave"),
    "reading": (End, "_read"),
    "writing": (End, "write"),
    "dialling": (Upstream, "dial"),
    "reaching": (Upstream, "_reach"),
    "the address": (Upstream, "end_made"),
    "sending": (Upstream, "send"),
    "the host being there": (Tunnel, "host_up"),
    "the host's bytes": (Tunnel, "host_received"),
    "how much is kept": (Tunnel, "_balance"),
}


@pytest.mark.parametrize(("owner", "name"), RAISING.values(), ids=RAISING)
def test_whatever_raises_ends_both_sides_and_says_no_more_than_its_type(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        monkeypatch.setattr(owner, name, broken)
        scene.client.receive(head())
        await turn()
        if scene.hosts and not scene.host.closed:
            scene.host.receive(OK)
            await turn()
        assert OK not in scene.client.written
        if name in ("judge", "rule") and owner is not Http1:
            assert b"internal_error" in scene.client.written
            scene.client.receive_end()
            await turn()
        assert scene.client.closed
        assert all(host.closed for host in scene.hosts)

    with caplog.at_level(logging.DEBUG):
        scene = play(story)
    assert scene.ended == 1
    allowed = [record for record in scene.log.of("decision") if record["decision"] == "allow"]
    assert len(outcomes(scene)) == len(allowed)
    assert "RuntimeError" in caplog.text
    assert "dapi-secret" not in caplog.text


LATER: dict[str, tuple[Any, str, Callable[[Scene], object]]] = {
    "the core, on the end of the client": (Http1, "client_ended", lambda scene: scene.client.receive(END)),
    "the core, on the end of the host": (Http1, "host_ended", lambda scene: scene.host.receive(END)),
    "the client's end": (Tunnel, "end_closed", lambda scene: scene.client.receive(END)),
    "the client's TCP ending": (Tunnel, "end_closed", lambda scene: scene.client.receive_end()),
    "the host's end": (Upstream, "end_closed", lambda scene: scene.host.receive(END)),
    "the client taking no more": (Tunnel, "end_full", lambda scene: scene.client.fill(True)),
    "the client taking more": (
        Tunnel,
        "_ask_deferred",
        lambda scene: (scene.client.fill(True), scene.client.fill(False)),
    ),
    "the host taking no more": (Tunnel, "host_full", lambda scene: scene.host.fill(True)),
    "the outcome": (Call, "end", lambda scene: scene.host.receive(OK)),
    "the look at the time": (Http1, "phase", lambda scene: scene.tunnel.look(1.0)),
    "the connection being lost": (Tunnel, "end_lost", lambda scene: scene.client.cut()),
}


@pytest.mark.parametrize(("owner", "name", "bring_about"), LATER.values(), ids=LATER)
def test_whatever_raises_within_a_call_ends_both_sides(
    owner: Any,
    name: str,
    bring_about: Callable[[Scene], object],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head())
        await turn()
        monkeypatch.setattr(owner, name, property(broken) if name == "phase" else broken)
        bring_about(scene)
        await turn()
        assert scene.client.closed
        assert scene.host.closed

    with caplog.at_level(logging.DEBUG):
        scene = play(story)
    assert "RuntimeError" in caplog.text
    assert "dapi-secret" not in caplog.text
    if owner is not Call:
        assert len(outcomes(scene)) == 1


def test_a_turn_that_raises_ends_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        scene.client.receive(head("/other") * 20)
        monkeypatch.setattr(Tunnel, "_ask_deferred", broken)
        await turn()
        assert scene.client.closed == "aborted"

    play(story)


def test_an_outcome_that_cannot_be_written_ends_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head())
        await turn()
        scene.log.is_failing = True
        scene.host.receive(OK)
        await turn()
        assert scene.client.written.endswith(OK)
        assert not scene.client.closed

    play(story)


# -- bodies that are held back ----------------------------------------------------------------------------------


def test_bodies_that_are_held_back_have_room_together(monkeypatch: pytest.MonkeyPatch) -> None:
    from brickscope.core.pending import BodyNeeded

    judge = Gate.judge

    def judge_by_body(
        gate: Gate, wire: Any, address: Any, refused: Any, body: Any, settled: Any, unread: Any
    ) -> Any:
        if body is None and unread is None:
            raise BodyNeeded(1_000_000)
        return judge(gate, wire, address, refused, body, settled, unread)

    monkeypatch.setattr(Gate, "judge", judge_by_body)

    async def story(scene: Scene) -> None:
        scene.path.room = 1000
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 2000", method="PUT") + b"x" * 500)
        await turn()
        assert (scene.path.held, scene.log.records) == (500, [])
        scene.client.receive(b"x" * 600)
        await turn()
        assert scene.log.of("decision")[0]["reason"] == "too_large"
        assert b"403" in scene.client.written
        assert scene.path.held == 0
        scene.client.receive(b"x" * 900)
        await turn()
        assert not scene.client.closed

    play(story)


def test_room_is_given_back_when_the_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    from brickscope.core.pending import BodyNeeded

    def needs_body(*_: Any) -> Any:
        raise BodyNeeded(1_000_000)

    monkeypatch.setattr(Gate, "judge", needs_body)

    async def story(scene: Scene) -> None:
        scene.begin()
        scene.client.receive(head("/ok/1", "Content-Length: 2000", method="PUT") + b"x" * 500)
        await turn()
        assert scene.path.held == 500
        scene.client.cut()
        await turn()
        assert scene.path.held == 0

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
