"""A load balancer's word about the client: believed from the balancer alone, and only if it is said in the right way."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.gate import CATALOGS, HOST, POLICY, Gate, head, running_gate
from e2e.raw_client import H1Reader, read_h1, send_h1, tls

BALANCER, STRANGER = "127.0.0.2", "127.0.0.3"
CLIENT = "192.0.2.7"
BOUND = POLICY.replace("    rule_set: reader\n", "    rule_set: reader\n    clients: [192.0.2.0/24]\n", 1)
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def line(client: str = CLIENT) -> bytes:
    """A header of version 1."""
    return f"PROXY TCP4 {client} 10.0.0.1 4000 8080\r\n".encode()


def binary(client: str = CLIENT, *, code: int = 0x21, more: bytes = b"") -> bytes:
    """A header of version 2."""
    rest = struct.pack("!4s4sHH", socket.inet_aton(client), b"\x0a\x00\x00\x01", 4000, 8080) + more
    return SIGNATURE + struct.pack("!BBH", code, 0x11, len(rest)) + rest


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(
        tmp_path_factory.mktemp("balancer"),
        proxy_authority,
        *("--set", f"scope_proxy_protocol={BALANCER}/32"),
        *("--set", "block_global=false"),
        policy=BOUND,
    ) as gate:
        yield gate


def dial(gate: Gate, source: str) -> socket.socket:
    """A connection from an address of loopback."""
    return socket.create_connection(("127.0.0.1", gate.proxy.port), 10, source_address=(source, 0))


def call(gate: Gate, first: bytes, source: str = BALANCER, *, step: int = 0) -> int | None:
    """The status of an allowed call on a connection that begins with ``first``; None if the proxy hung up before."""
    sock = dial(gate, source)
    for start in range(0, len(first), step or len(first) or 1):
        if not send_h1(sock, first[start : start + (step or len(first))]):
            return None
        if step:
            time.sleep(0.001)
    send_h1(sock, CONNECT)
    opened = H1Reader(sock).read("CONNECT")
    if opened is None or opened.status != 200:
        sock.close()
        return None
    with tls(sock, ca=gate.ca, sni=HOST) as inner:
        send_h1(inner, head(target=CATALOGS))
        answer = read_h1(inner)
        return None if answer is None else answer.status


@pytest.mark.parametrize(
    "first",
    [
        line(),
        binary(),
        binary(more=b"\x04\x00\x01x"),
        b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 4000 8080\r\n",
    ],
    ids=["line", "binary", "with extensions", "mapped into IPv6"],
)
@pytest.mark.parametrize("step", [0, 1], ids=["at once", "byte by byte"])
def test_the_client_is_whom_the_balancer_names(gate: Gate, first: bytes, step: int) -> None:
    before = len(gate.proxy.audit("decision"))
    assert call(gate, first, step=step) == 200
    (record,) = gate.proxy.audit("decision")[before:]
    assert record["client_address"] == CLIENT


@pytest.mark.parametrize("make", [line, binary])
def test_a_client_from_elsewhere_is_denied_by_the_policy(gate: Gate, make: object) -> None:
    assert callable(make)
    before = len(gate.proxy.audit("decision"))
    assert call(gate, make("198.51.100.7")) == 403
    (record,) = gate.proxy.audit("decision")[before:]
    assert (record["client_address"], record["reason"]) == ("198.51.100.7", "client_not_allowed")


def test_the_balancer_itself_is_judged_by_its_own_address(gate: Gate) -> None:
    before = len(gate.proxy.audit("decision"))
    assert call(gate, binary(code=0x20)) == 403
    (record,) = gate.proxy.audit("decision")[before:]
    assert (record["client_address"], record["reason"]) == (BALANCER, "client_not_allowed")


def hung_up(sock: socket.socket) -> bool:
    """Whether the proxy closes a connection without a word."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


REFUSED = {
    "none": b"",
    "a malformed line": b"PROXY TCP4 192.0.2.7 10.0.0.1 04000 8080\r\n",
    "UNKNOWN": b"PROXY UNKNOWN\r\n",
    "a line that is too long": b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 8080" + b" " * 100,
    "another version": SIGNATURE + b"\x31\x11\x00\x0c" + b"\x00" * 12,
    "a wrong length": SIGNATURE + b"\x21\x11\x00\x0b" + b"\x00" * 11,
    "a Unix socket": SIGNATURE + b"\x21\x31\x00\xd8" + b"\x00" * 216,
    "a length out of bounds": SIGNATURE + b"\x21\x11\xff\xff" + b"\x00" * 100,
}


@pytest.mark.parametrize("first", REFUSED.values(), ids=REFUSED)
def test_a_balancer_without_a_good_header_is_closed_and_recorded(gate: Gate, first: bytes) -> None:
    before = len(gate.proxy.audit("tunnel"))
    gate.clear()
    assert call(gate, first) is None
    record = gate.proxy.wait_for(lambda: gate.proxy.audit("tunnel")[before:])[0]
    assert (record["reason"], record["decision"], record["client_address"]) == (
        "proxy_header_refused",
        "deny",
        BALANCER,
    )
    assert gate.workspace.requests == []


def test_a_header_that_does_not_come_is_not_waited_for(gate: Gate) -> None:
    before = len(gate.proxy.audit("tunnel"))
    with dial(gate, BALANCER) as sock:
        sock.sendall(line()[:10])
        sock.settimeout(60)
        assert hung_up(sock)
    record = gate.proxy.wait_for(lambda: gate.proxy.audit("tunnel")[before:])[0]
    assert "within 5 seconds" in record["detail"]


def test_a_look_at_the_port_leaves_no_record(gate: Gate) -> None:
    before = len(gate.proxy.audit())
    dial(gate, BALANCER).close()
    assert call(gate, line()) == 200  # it came later, and its records are the only ones
    new = gate.proxy.wait_for(
        lambda: (found := gate.proxy.audit()[before:])[-1]["event"] == "outcome" and found
    )
    assert [record["event"] for record in new] == ["decision", "outcome"]


@pytest.mark.parametrize("make", [line, binary])
def test_nobody_elses_header_is_believed(gate: Gate, make: object) -> None:
    assert callable(make)
    gate.clear()
    assert call(gate, make(), STRANGER) is None
    assert gate.workspace.requests == []
    assert call(gate, b"", STRANGER) == 403, "without one it is judged by its own address"
    assert gate.proxy.audit("decision")[-1]["client_address"] == STRANGER


@pytest.mark.parametrize("second", [line("192.0.2.9"), binary("192.0.2.9")], ids=["line", "binary"])
@pytest.mark.parametrize(
    "first", [line("198.51.100.7"), binary("198.51.100.7")], ids=["after a line", "after a binary"]
)
def test_a_client_cannot_add_a_header_of_its_own(gate: Gate, first: bytes, second: bytes) -> None:
    gate.clear()
    assert call(gate, first + second) is None
    assert gate.workspace.requests == []


def test_public_clients_are_kept_out_by_the_address_that_the_balancer_names(
    tmp_path: Path, proxy_authority: Path
) -> None:
    with running_gate(tmp_path, proxy_authority, "--set", f"scope_proxy_protocol={BALANCER}/32") as gate:
        assert call(gate, line("8.8.8.8")) is None
        assert call(gate, line("10.0.8.1")) == 200


def test_a_network_that_is_none_is_refused_at_start(tmp_path: Path, proxy_authority: Path) -> None:
    from e2e.proxy_process import ProxyFailed

    with (
        pytest.raises(ProxyFailed, match=r"scope_proxy_protocol: .* write a network such as 10\.1\.0\.0/16"),
        running_gate(tmp_path, proxy_authority, "--set", "scope_proxy_protocol=balancer"),
    ):
        pass
