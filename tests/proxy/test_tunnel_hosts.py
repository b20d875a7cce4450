"""A tunnel and its host: dialled, verified, refused; and a client that does not trust us."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from by_hand import ADDRESS, END, HELLO, OK, Scene, call, head, outcomes, play, turn

from brickscope.proxy.tunnel import KEPT


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
