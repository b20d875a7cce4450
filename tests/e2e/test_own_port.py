"""The proxy's own port is nowhere to be led to: who came back that way would have the proxy's address, or any."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from e2e.fleet_process import running_fleet
from e2e.gate import HOST, POLICY, Gate, head, running_gate
from e2e.raw_client import H1Reader, read_h1, send_h1, tls

ADDRESSES = ("--set", "scope_allow_addresses=127.0.0.0/8")
STRANGER = "127.0.0.3"
CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def bound(client: str) -> str:
    """The policy, for a token that counts from there only."""
    return POLICY.replace("    rule_set: reader\n", f"    rule_set: reader\n    clients: [{client}]\n", 1)


def come_back(port: int, first: bytes, ca: Path, target: str = "127.0.0.1") -> int | None:
    """The status of a call through a tunnel that leads to the proxy itself; None: there was no way."""
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(STRANGER, 0)) as sock:
        send_h1(sock, f"CONNECT {target}:{port} HTTP/1.1\r\nHost: {target}:{port}\r\n\r\n".encode())
        outer = H1Reader(sock).read("CONNECT")
        if outer is None or outer.status != 200:
            return None
        send_h1(sock, first + CONNECT)
        inner = H1Reader(sock).read("CONNECT")
        if inner is None or inner.status != 200:
            return None
        with tls(sock, ca=ca, sni=HOST) as call:
            send_h1(call, head())
            answer = read_h1(call)
            return None if answer is None else answer.status


def assert_refused(gate: Gate) -> None:
    assert gate.workspace.requests == []
    refused = [record for record in gate.proxy.audit("tunnel") if record["decision"] == "deny"]
    assert {(record["reason"], record["client_address"]) for record in refused} == {
        ("address_not_allowed", STRANGER)
    }
    assert {record["detail"] for record in refused} == {"the host leads to the proxy"}


@pytest.mark.parametrize("target", ["127.0.0.1", "127.0.0.2"])
def test_a_client_does_not_get_the_address_of_the_proxy(
    tmp_path: Path, proxy_authority: Path, target: str
) -> None:
    # The last one counts. Without it nothing listens on the other address, and the test could not fail.
    listen = ("--listen-host", "0.0.0.0")
    with running_gate(tmp_path, proxy_authority, *ADDRESSES, *listen, policy=bound("127.0.0.1")) as gate:
        assert come_back(gate.proxy.port, b"", gate.ca, target) is None
        assert_refused(gate)


def test_a_client_does_not_get_the_word_of_a_balancer(tmp_path: Path, proxy_authority: Path) -> None:
    balancer = ("--set", "scope_proxy_protocol=127.0.0.1/32", "--set", "block_global=false")
    with running_gate(tmp_path, proxy_authority, *ADDRESSES, *balancer, policy=bound("192.0.2.0/24")) as gate:
        first = b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 8080\r\n"
        assert come_back(gate.proxy.port, first, gate.ca) is None
        assert_refused(gate)


def test_nor_through_a_worker(tmp_path: Path, proxy_authority: Path) -> None:
    with running_fleet(tmp_path, proxy_authority, *ADDRESSES, policy=bound("127.0.0.1")) as fleet:
        assert come_back(fleet.proxy.port, b"", fleet.proxy.ca_file) is None
        assert fleet.workspace.requests == []
