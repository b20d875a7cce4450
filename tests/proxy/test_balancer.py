"""PROXY headers: one way to write each, and whatever else comes is no header."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.proxy.balancer import (
    MAX_LINE,
    MAX_REST,
    Ends,
    HeaderError,
    is_balancer,
    parse_binary,
    parse_line,
    peer_address,
    read_header,
)
from examples import examples
from reaching import reaching

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def binary(
    family: int = 0x11, rest: bytes | None = None, *, code: int = 0x21, length: int | None = None
) -> bytes:
    """A header of version 2; by default of TCP over IPv4, from 192.0.2.1:4000 to 10.0.0.1:8080."""
    if rest is None:
        rest = struct.pack("!4s4sHH", b"\xc0\x00\x02\x01", b"\x0a\x00\x00\x01", 4000, 8080)
    return SIGNATURE + struct.pack("!BBH", code, family, len(rest) if length is None else length) + rest


def six(source: str, target: str) -> bytes:
    """The addresses of version 2 over IPv6."""
    packed = [ipaddress.IPv6Address(each).packed for each in (source, target)]
    return struct.pack("!16s16sHH", *packed, 4000, 8080)


def read(data: bytes, *, step: int = 0) -> tuple[Ends | None, bytes]:
    """What is read of a connection that ends after ``data``, and what is left for HTTP. ``step``: bytes a packet."""
    step = step or len(data) or 1
    for end in [*range(step, len(data), step), len(data)]:
        header = read_header(data[:end])
        if header is not None:
            return header.ends, data[header.length :]
    raise HeaderError("the connection ended within the header")


CLIENT = Ends(("192.0.2.1", 4000), ("10.0.0.1", 8080))

GOOD: list[tuple[str, bytes, Ends | None]] = [
    ("a line", b"PROXY TCP4 192.0.2.1 10.0.0.1 4000 8080\r\n", CLIENT),
    (
        "a line of IPv6",
        b"PROXY TCP6 2001:db8::1 ::1 4000 8080\r\n",
        Ends(("2001:db8::1", 4000), ("::1", 8080)),
    ),
    (
        "a line with IPv4 mapped into IPv6",
        b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 4000 8080\r\n",
        CLIENT,
    ),
    ("port zero", b"PROXY TCP4 192.0.2.1 10.0.0.1 0 65535\r\n", Ends(("192.0.2.1", 0), ("10.0.0.1", 65535))),
    ("binary", binary(), CLIENT),
    ("binary of IPv6", binary(0x21, six("2001:db8::1", "::1")), Ends(("2001:db8::1", 4000), ("::1", 8080))),
    ("binary with mapped addresses", binary(0x21, six("::ffff:192.0.2.1", "::ffff:10.0.0.1")), CLIENT),
    ("binary with extensions", binary(rest=binary()[16:] + b"\x04\x00\x02xx\x02\x00\x00"), CLIENT),
    ("LOCAL", binary(0x00, b"", code=0x20), None),
    ("LOCAL with addresses that do not count", binary(code=0x20), None),
    ("LOCAL with anything after it", binary(0x00, b"\xff" * 40, code=0x20), None),
]


@pytest.mark.parametrize("step", [0, 1, 7], ids=["one packet", "byte by byte", "in packets of 7"])
@pytest.mark.parametrize(("data", "ends"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_a_header_is_read_and_nothing_after_it(data: bytes, ends: Ends | None, step: int) -> None:
    assert read(data + b"GET / HTTP/1.1\r\n\r\n", step=step) == (ends, b"GET / HTTP/1.1\r\n\r\n")


BAD: list[tuple[str, bytes]] = [
    ("HTTP", b"CONNECT x:443 HTTP/1.1\r\n\r\n"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00"),
    ("small letters", b"proxy TCP4 192.0.2.1 10.0.0.1 4000 8080\r\n"),
    ("two spaces", b"PROXY TCP4  192.0.2.1 10.0.0.1 4000 8080\r\n"),
    ("a tab", b"PROXY TCP4\t192.0.2.1 10.0.0.1 4000 8080\r\n"),
    ("a space at the end", b"PROXY TCP4 192.0.2.1 10.0.0.1 4000 8080 \r\n"),
    ("a bare line feed", b"PROXY TCP4 192.0.2.1 10.0.0.1 4000 8080\n" + b"x" * 200),
    ("a line feed, and then a line end", b"PROXY TCP4 192.0.2.1 10.0.0.1 4000 8080\nGET / HTTP/1.1\r\n"),
    ("a carriage return inside", b"PROXY TCP4 192.0.2.1\r10.0.0.1 4000 8080\r\n"),
    ("a line end at once", b"PROXY \r\nTCP4 192.0.2.1 10.0.0.1 4000 8080\r\n"),
    ("a null byte", b"PROXY TCP4 192.0.2.1\x00 10.0.0.1 4000 8080\r\n"),
    ("a leading zero in a port", b"PROXY TCP4 192.0.2.1 10.0.0.1 04000 8080\r\n"),
    ("a signed port", b"PROXY TCP4 192.0.2.1 10.0.0.1 +400 8080\r\n"),
    ("a port with a line between its digits", b"PROXY TCP4 192.0.2.1 10.0.0.1 4_00 8080\r\n"),
    ("a port in other digits", "PROXY TCP4 192.0.2.1 10.0.0.1 ٤000 8080\r\n".encode()),
    ("a port out of range", b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 8080\r\n"),
    ("a missing port", b"PROXY TCP4 192.0.2.1 10.0.0.1 4000\r\n"),
    ("a word too many", b"PROXY TCP4 192.0.2.1 10.0.0.1 4000 8080 1\r\n"),
    ("a leading zero in an address", b"PROXY TCP4 192.0.2.01 10.0.0.1 4000 8080\r\n"),
    ("an address in hexadecimal", b"PROXY TCP4 0xc0.0.2.1 10.0.0.1 4000 8080\r\n"),
    ("an address of one number", b"PROXY TCP4 3221225985 10.0.0.1 4000 8080\r\n"),
    ("three numbers", b"PROXY TCP4 192.0.513 10.0.0.1 4000 8080\r\n"),
    ("a number too large", b"PROXY TCP4 192.0.2.256 10.0.0.1 4000 8080\r\n"),
    ("a zone", b"PROXY TCP6 fe80::1%eth0 ::1 4000 8080\r\n"),
    ("IPv6 said to be IPv4", b"PROXY TCP4 2001:db8::1 ::1 4000 8080\r\n"),
    ("IPv4 said to be IPv6", b"PROXY TCP6 192.0.2.1 10.0.0.1 4000 8080\r\n"),
    ("two families", b"PROXY TCP6 2001:db8::1 10.0.0.1 4000 8080\r\n"),
    ("a name", b"PROXY TCP4 localhost 10.0.0.1 4000 8080\r\n"),
    ("UNKNOWN", b"PROXY UNKNOWN\r\n"),
    ("UNKNOWN with addresses", b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"),
    ("another protocol", b"PROXY UDP4 192.0.2.1 10.0.0.1 4000 8080\r\n"),
    ("a line without end", b"PROXY TCP4 192.0.2.1 10.0.0.1 4000 8080" + b" " * MAX_LINE),
    ("a line cut off", b"PROXY TCP4 192.0.2.1"),
    ("a signature cut off", SIGNATURE[:7]),
    ("a signature with another byte", SIGNATURE[:-1] + b"\r\x21\x11\x00\x0c" + b"\x00" * 12),
    ("version 1 in the binary form", binary(code=0x11)),
    ("version 3", binary(code=0x31)),
    ("another command", binary(code=0x22)),
    ("shorter than its addresses", binary(rest=b"\x00" * 11)),
    ("no addresses", binary(rest=b"")),
    ("IPv6 with addresses of IPv4", binary(0x21)),
    ("a length beyond what comes", binary(length=13)),
    ("a length beyond what is read", binary(length=MAX_REST + 1) + b"\x00" * MAX_REST),
    ("LOCAL with a length beyond what is read", binary(code=0x20, length=65535)),
    ("no family", binary(0x00)),
    ("UDP", binary(0x12)),
    ("UDP over IPv6", binary(0x22, six("::2", "::1"))),
    ("a Unix socket", binary(0x31, b"/a".ljust(108, b"\x00") + b"/b".ljust(108, b"\x00"))),
    ("a Unix socket by datagrams", binary(0x32, b"\x00" * 216)),
    ("an odd family", binary(0x41)),
    ("a raw family", binary(0x10)),
    ("an extension cut off", binary(rest=binary()[16:] + b"\x04\x00")),
    ("an extension longer than the header", binary(rest=binary()[16:] + b"\x04\x00\x03xx")),
    ("a length that leaves two bytes over", binary(rest=binary()[16:] + b"\x00\x00")),
]


@pytest.mark.parametrize("step", [0, 1], ids=["one packet", "byte by byte"])
@pytest.mark.parametrize("data", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_whatever_else_comes_is_no_header(data: bytes, step: int) -> None:
    with pytest.raises(HeaderError):
        read(data, step=step)


def test_nothing_is_no_header_yet() -> None:
    assert read_header(b"") is None


def test_of_two_headers_the_second_is_left_for_http_which_refuses_it() -> None:
    second = b"PROXY TCP4 10.0.8.1 10.0.0.1 4000 8080\r\n"
    assert read(binary() + second) == (CLIENT, second)


_TEXT = [b"10.0.8.1", b"::1", b"::ffff:10.0.0.1", b"1", b"65535", b"65536", b"01", b"", b" ", b"\r\n", b"x"]
_WRITTEN = st.one_of(
    st.tuples(
        *[st.sampled_from([*_TEXT[:2], part]) for part in (b"10.0.0.1", b"10.0.0.2", b"4000", b"8080")]
    ).map(lambda parts: b"PROXY TCP4 " + b" ".join(parts) + b"\r\nGET"),
    st.lists(st.sampled_from(_TEXT), max_size=8).map(lambda parts: b"PROXY TCP4 " + b" ".join(parts)),
    st.binary(min_size=12, max_size=40).map(lambda data: SIGNATURE + b"\x21\x11\x00\x0c" + data),
    st.binary(min_size=36, max_size=60).map(lambda data: SIGNATURE + b"\x21\x21\x00\x24" + data),
    st.binary(max_size=60).map(lambda data: SIGNATURE + b"\x21\x11" + data),
    st.binary(max_size=300),
)


@reaching(0.1, _WRITTEN)
@settings(max_examples=examples(300))
def test_no_bytes_do_anything_else_than_name_an_address_or_fail(data: bytes) -> bool:
    try:
        ends, left = read(data)
    except (HeaderError, EOFError):
        return False
    assert data.endswith(left)
    if ends is None:
        return False
    for address, port in ends:
        assert 0 <= port <= 65535
        found = ipaddress.ip_address(address)
        assert str(found) == address
        assert getattr(found, "ipv4_mapped", None) is None
    return True


@given(st.ip_addresses(), st.integers(0, 65535))
def test_both_forms_name_the_same_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    other = "10.0.0.1" if address.version == 4 else "2001:db8::2"
    line = f"PROXY TCP{address.version} {address} {other} {port} 8080\r\n".encode()
    layout, family = ("!4s4sHH", 0x11) if address.version == 4 else ("!16s16sHH", 0x21)
    rest = struct.pack(layout, address.packed, ipaddress.ip_address(other).packed, port, 8080)
    assert parse_line(line) == parse_binary(0x21, family, rest)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (("10.0.0.1", 4000), ("10.0.0.1", 4000)),
        (("::ffff:10.0.0.1", 4000, 0, 0), ("10.0.0.1", 4000)),
        (("fe80::1%eth0", 4000, 0, 2), ("fe80::1", 4000)),
        ("/run/socket", None),
        (None, None),
        ("", None),
    ],
    ids=str,
)
def test_a_peer_is_its_plain_address(name: object, address: tuple[str, int] | None) -> None:
    assert peer_address(name) == address


def test_only_the_named_networks_are_balancers() -> None:
    networks = [ipaddress.ip_network("10.0.8.0/24"), ipaddress.ip_network("2001:db8::/64")]
    assert is_balancer(("10.0.8.9", 1), networks)
    assert is_balancer(("2001:db8::9", 1), networks)
    assert not is_balancer(("10.0.9.9", 1), networks)
    assert not is_balancer(("2001:db9::9", 1), networks)
    assert not is_balancer(("10.0.8.9", 1), [])
