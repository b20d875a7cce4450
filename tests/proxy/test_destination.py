"""Where a connection may go: hosts by every spelling, addresses by every disguise."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from brickscope.core.decision import Refused
from brickscope.core.hostname import HostPatterns
from brickscope.core.reason import Reason
from brickscope.proxy.destination import CHOSEN, Destinations, Side, Upstream, check_names, is_public

SCOPE = HostPatterns(["*.cloud.databricks.com"])
WORKSPACE = "dbc-a.cloud.databricks.com"


def destinations(*, relay: bool = True, allowed: Sequence[str] = ()) -> Destinations:
    return Destinations(
        SCOPE, relay_other_hosts=relay, allowed=[ipaddress.ip_network(text) for text in allowed]
    )


@pytest.mark.parametrize(
    ("host", "side"),
    [
        (WORKSPACE, Side.WORKSPACE),
        (WORKSPACE.upper(), Side.WORKSPACE),
        (WORKSPACE + ".", Side.WORKSPACE),
        ("a b.cloud.databricks.com", Side.WORKSPACE),
        ("example.org", Side.OTHER),
        ("docs.databricks.com", Side.OTHER),
        ("localhost", Side.OTHER),
    ],
)
def test_every_spelling_of_a_workspace_is_under_policy(host: str, side: Side) -> None:
    assert destinations().classify(host, 443) is side


REFUSED = {
    "another port of a workspace": (WORKSPACE, 8443, Reason.PORT_NOT_ALLOWED),
    "plain port of a workspace": (WORKSPACE, 80, Reason.PORT_NOT_ALLOWED),
    "Postgres of a workspace": ("instance-1.database.cloud.databricks.com", 5432, Reason.PORT_NOT_ALLOWED),
    "another port in another spelling": (WORKSPACE.upper() + ".", 444, Reason.PORT_NOT_ALLOWED),
    "an app, where the scope leaves them out": (
        "orders-1.aws.databricksapps.com",
        443,
        Reason.HOST_NOT_IN_SCOPE,
    ),
    "a workspace of another cloud": ("adb-1.2.azuredatabricks.net", 443, Reason.HOST_NOT_IN_SCOPE),
    "a unified host": ("acme.databricks.com", 443, Reason.HOST_NOT_IN_SCOPE),
    "an IPv4 literal": ("203.0.113.7", 443, Reason.ADDRESS_NOT_ALLOWED),
    "an IPv6 literal": ("[2001:db8::1]", 443, Reason.ADDRESS_NOT_ALLOWED),
    "a bare IPv6 literal": ("2001:db8::1", 443, Reason.ADDRESS_NOT_ALLOWED),
    "a short IPv4 literal": ("127.1", 443, Reason.ADDRESS_NOT_ALLOWED),
    "a hexadecimal IPv4 literal": ("0x7f000001", 443, Reason.ADDRESS_NOT_ALLOWED),
    "a decimal IPv4 literal": ("2130706433", 443, Reason.ADDRESS_NOT_ALLOWED),
    "an octal IPv4 literal": ("0177.0.0.1", 443, Reason.ADDRESS_NOT_ALLOWED),
    "a literal with a trailing dot": ("203.0.113.7.", 443, Reason.ADDRESS_NOT_ALLOWED),
    "a trailing dot": ("example.org.", 443, Reason.HOST_NOT_CANONICAL),
    "an ideographic full stop": ("dbc-a\u3002cloud\u3002databricks\u3002com", 443, Reason.HOST_NOT_CANONICAL),
    "a percent": ("dbc-a%2ecloud.databricks.example", 443, Reason.HOST_NOT_CANONICAL),
    "a NUL": ("example.org\x00.cloud", 443, Reason.HOST_NOT_CANONICAL),
    "nothing": ("", 443, Reason.HOST_NOT_CANONICAL),
}


@pytest.mark.parametrize(("host", "port", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_could_lead_round_the_policy_is_refused(host: str, port: int, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        destinations().classify(host, port)
    assert refused.value.reason is reason


def test_other_hosts_can_be_closed() -> None:
    with pytest.raises(Refused) as refused:
        destinations(relay=False).classify("example.org", 443)
    assert refused.value.reason is Reason.OTHER_HOST
    assert destinations(relay=False).classify(WORKSPACE, 443) is Side.WORKSPACE


def test_a_literal_in_an_allowed_network_may_be_reached() -> None:
    assert destinations(allowed=["10.1.0.0/16"]).classify("10.1.2.3", 443) is Side.OTHER


ADDRESSES = [
    ("8.8.8.8", True),
    ("2606:4700::1111", True),
    ("10.0.0.1", False),
    ("172.16.0.1", False),
    ("192.168.1.1", False),
    ("127.0.0.1", False),
    ("0.0.0.0", False),
    ("169.254.169.254", False),
    ("168.63.129.16", False),
    ("100.100.100.200", False),
    ("192.0.0.192", False),
    ("224.0.0.1", False),
    ("255.255.255.255", False),
    ("::1", False),
    ("::", False),
    ("fe80::1", False),
    ("fd00:ec2::254", False),
    ("fec0::1", False),
    ("ff02::1", False),
    ("::ffff:127.0.0.1", False),
    ("::ffff:8.8.8.8", True),
    ("64:ff9b::7f00:1", False),
    ("64:ff9b::a9fe:a9fe", False),
    ("2002:7f00:1::", False),
    ("2001:db8::1", False),
]


@pytest.mark.parametrize(("address", "expected"), ADDRESSES)
def test_only_public_addresses_are_public(address: str, expected: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is expected
    assert destinations().may_reach(address) is expected


@pytest.mark.parametrize("text", ["", "nonsense", "127.0.0.1%eth0", "fe80::1%eth0"])
def test_an_address_that_cannot_be_read_is_not_reached(text: str) -> None:
    assert not destinations().may_reach(text)


def test_an_allowed_network_may_be_reached() -> None:
    assert destinations(allowed=["127.0.0.0/8"]).may_reach("127.0.0.1")


def resolve(rules: Destinations, answers: dict[str, list[str]], host: str, flags: int = 0) -> list[str]:
    """What a dial sees, on a loop whose own resolver gives ``answers``."""
    asked: list[tuple[str, int]] = []

    async def original(name: Any, port: Any, **_options: Any) -> list[Any]:
        asked.append((name, port))
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answers.get(name, [name])
        ]

    async def run() -> list[str]:
        loop = asyncio.get_running_loop()
        loop.getaddrinfo = original  # type: ignore[method-assign, assignment]
        check_names(rules, loop)
        found = await loop.getaddrinfo(host, 443, flags=flags)
        return [f"{answer[4][0]}:{answer[4][1]}" for answer in found]

    return asyncio.run(run())


def test_a_dial_sees_public_addresses_only() -> None:
    assert resolve(destinations(), {"x.example": ["8.8.8.8", "10.0.0.1"]}, "x.example") == ["8.8.8.8:443"]


def test_a_name_that_leads_inside_is_not_dialled() -> None:
    with pytest.raises(OSError, match="scope_allow_addresses"):
        resolve(destinations(), {"x.example": ["169.254.169.254"]}, "x.example")


def test_a_listening_socket_may_use_any_name() -> None:
    assert resolve(destinations(), {"localhost": ["127.0.0.1"]}, "localhost", socket.AI_PASSIVE)


def test_connect_to_leads_elsewhere_openly() -> None:
    rules = Destinations(
        SCOPE,
        relay_other_hosts=True,
        upstreams=[Upstream(HostPatterns(["*.cloud.databricks.com"]), "127.0.0.1", 8443)],
    )
    assert resolve(rules, {}, WORKSPACE) == ["127.0.0.1:8443"]
    assert rules.may_reach("127.0.0.1", WORKSPACE)
    assert not rules.may_reach("127.0.0.1", "localhost")
    assert not rules.may_reach("127.0.0.2", WORKSPACE)


@pytest.mark.parametrize(
    ("peer", "own", "name"),
    [
        (("127.0.0.1", 8080), ("127.0.0.1", 4000), "the proxy"),
        (("127.0.0.2", 8080), ("127.0.0.1", 4000), "the proxy"),
        (("10.0.0.5", 8080), ("10.0.0.5", 4000), "the proxy"),
        (("::1", 8080, 0, 0), ("::1", 4000, 0, 0), "the proxy"),
        (("::ffff:127.0.0.2", 8080, 0, 0), ("::ffff:127.0.0.1", 4000, 0, 0), "the proxy"),
        (("::ffff:127.0.0.2", 9464, 0, 0), ("::ffff:127.0.0.1", 4000, 0, 0), "the proxy's own status"),
        (("10.0.0.5", 9464), ("10.0.0.5", 4000), "the proxy's own status"),
        (("10.0.0.5", 8080), ("10.0.0.9", 4000), ""),
        (("10.0.0.5", 443), ("10.0.0.5", 4000), ""),
    ],
)
def test_a_way_back_to_the_proxy_is_seen(peer: tuple[str, int], own: tuple[str, int], name: str) -> None:
    rules = destinations()
    rules.own_ports.add(8080)
    rules.status_port = 9464
    assert rules.leads_back(peer, own) == name


def test_names_that_clients_like_keep_no_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a reload of the policy: who has no token kept a revocation out of force, by names that nobody answers."""
    go_on = threading.Event()

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host.endswith(".slow.example"):
            go_on.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    async def look_up(host: str) -> list[Any]:
        CHOSEN.set(host != WORKSPACE)
        return await asyncio.get_running_loop().getaddrinfo(host, 443)

    async def run() -> None:
        check_names(destinations(), asyncio.get_running_loop())
        slow = [asyncio.ensure_future(look_up(f"{index}.slow.example")) for index in range(100)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            assert await asyncio.ensure_future(look_up(WORKSPACE))
            assert await asyncio.to_thread(lambda: "the policy")
        assert not any(each.done() for each in slow)
        go_on.set()
        assert all(await asyncio.gather(*slow))

    try:
        asyncio.run(run())
    finally:
        go_on.set()
