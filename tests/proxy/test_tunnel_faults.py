"""A tunnel in which something raises: both sides end, and each call has its outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from by_hand import END, OK, Scene, broken, head, outcomes, play, turn

from brickscope.proxy import tunnel as tunnel_module
from brickscope.proxy.call import Call
from brickscope.proxy.gate import Gate
from brickscope.proxy.tls import End
from brickscope.proxy.tunnel import Tunnel
from brickscope.proxy.upstream import Upstream
from brickscope.proxy.wire.http1 import Http1

# -- whatever raises --------------------------------------------------------------------------------------------


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
    # A decision may be on record already when its ruling fails; the call is then denied, and that is on record as well.
    assert len(outcomes(scene)) == len(allowed) - (owner is tunnel_module)
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


@pytest.mark.parametrize("breaks", ["a callback", "and the core with it"])
def test_what_was_judged_in_the_turn_that_raises_is_not_sent(
    breaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await turn()
        scene.client.receive(head())
        monkeypatch.setattr(Tunnel, "end_full", broken)
        if breaks != "a callback":
            monkeypatch.setattr(Http1, "break_off", broken)
        scene.client.fill(True)
        await turn()
        assert scene.client.closed == "aborted"

    scene = play(story)
    assert (scene.dials, len(scene.log.of("decision"))) == ([], 1)
    assert outcomes(scene) == ([(None, "the proxy failed inside")] if breaks == "a callback" else [])


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
