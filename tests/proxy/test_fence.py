"""The fence round other hosts: what is let through, what is kept until more comes, and what names a workspace."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.proxy.fence import Fence
from brickscope.proxy.hello import MAX_HELLO
from client_hello import client_hello

WORKSPACE, OTHER = "dbc-a1b2c3d4-e5f6.cloud.databricks.com", "example.org"
NAME = WORKSPACE.encode()


def is_workspace(host: str) -> bool:
    return host.lower().rstrip(".").endswith(".cloud.databricks.com")


def socks5(name: bytes, command: int = 1) -> bytes:
    return b"\x05\x01\x00" + bytes((5, command, 0, 3, len(name))) + name + b"\x01\xbb"


REFUSED = {
    "TLS to a workspace": client_hello(WORKSPACE),
    "TLS to a workspace in capitals": client_hello(WORKSPACE.upper()),
    "a CONNECT": b"CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n" % (NAME, NAME),
    "a CONNECT in small letters": b"connect %s:443 HTTP/1.1\r\n\r\n" % NAME,
    "a CONNECT by bare line feeds": b"CONNECT %s:443 HTTP/1.1\n\n" % NAME,
    "a CONNECT with a dot at the end": b"CONNECT %s.:443 HTTP/1.0\r\n\r\n" % NAME,
    "a whole URL": b"GET http://%s/api/2.0/jobs/list HTTP/1.1\r\n\r\n" % NAME,
    "a whole URL with a user": b"GET https://a:b@%s/ HTTP/1.1\r\n\r\n" % NAME,
    "a Host header": b"GET / HTTP/1.1\r\nAccept: */*\r\nhOsT:\t%s\r\n\r\n" % NAME,
    "a second request": b"GET http://example.org/ HTTP/1.1\r\n\r\nCONNECT %s:443 HTTP/1.1\r\n\r\n" % NAME,
    "a second request after a body": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\nCONNECT %s:443 HTTP/1.1\r\n" % NAME
    ),
    "a CONNECT after an empty line": b"\r\nCONNECT %s:443 HTTP/1.1\r\n\r\n" % NAME,
    "a CONNECT after blanks": b"\n \tCONNECT %s:443 HTTP/1.1\r\n\r\n" % NAME,
    "a CONNECT by tabs": b"CONNECT\t%s:443\tHTTP/1.1\r\n\r\n" % NAME,
    "a CONNECT by other blanks": b"CONNECT\x0b%s:443\x0cHTTP/1.1\r\n\r\n" % NAME,
    "a CONNECT by another version": b"CONNECT %s:443 http/1.1\r\n\r\n" % NAME,
    "an odd method": b"$_1 https://%s/ HTTP/1.1\r\n\r\n" % NAME,
    "a long URL": b"GET https://%s/?%s HTTP/1.1\r\n\r\n" % (NAME, b"a" * 5000),
    "a long user in a URL": b"GET https://%s@%s/ HTTP/1.1\r\n\r\n" % (b"a" * 5000, NAME),
    "a folded Host header": b"GET / HTTP/1.1\r\nHost:\r\n %s\r\n\r\n" % NAME,
    "TLS after a CONNECT by address": b"CONNECT 192.0.2.1:443 HTTP/1.1\r\n\r\n" + client_hello(WORKSPACE),
    "TLS after SOCKS 5 by address": b"\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb"
    + client_hello(WORKSPACE),
    "TLS after SOCKS 4 and zeros": b"\x04\x01\x01\xbb\xc0\x00\x02\x01me\x00"
    + client_hello(WORKSPACE).replace(
        bytes((0, 0, 0, len(NAME) + 5)), bytes(6) + bytes((0, 0, 0, len(NAME) + 5))
    ),
    "TLS after SOCKS 4": b"\x04\x01\x01\xbb\xc0\x00\x02\x01me\x00" + client_hello(WORKSPACE),
    "SOCKS 5 with a reserved byte": socks5(NAME).replace(b"\x01\x00\x03", b"\x01\x07\x03"),
    "SOCKS 5": socks5(NAME),
    "SOCKS 5 with a password": b"\x05\x01\x02\x01\x01a\x01b" + socks5(NAME)[3:],
    "SOCKS 5, to be called back": socks5(NAME, 2),
    "SOCKS 4A": b"\x04\x01\x01\xbb\x00\x00\x00\x01me\x00" + NAME + b"\x00",
}
PASSES = {
    "TLS to another host": client_hello(OTHER),
    "TLS without a name": client_hello(None),
    "a CONNECT to another host": b"CONNECT example.org:443 HTTP/1.1\r\n\r\n",
    "HTTP to another host": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "a text that only speaks of a workspace": (
        b"POST / HTTP/1.1\r\nHost: example.org\r\n\r\nsee https://%s/ for more\n" % NAME
    ),
    "a text after an empty line": b"\r\n\r\nhello " + NAME,
    "TLS to another host after a CONNECT": b"CONNECT 192.0.2.1:443 HTTP/1.1\r\n\r\n" + client_hello(OTHER),
    "an upload that only begins like TLS": b"POST / HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01" + b"x" * 999,
    "a long line": b"POST / HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 19_999 + b"\n",
    "SOCKS 5 to another host": socks5(b"example.org"),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n" + bytes(200),
    "SMTP": b"EHLO me\r\nMAIL FROM:<a@example.org>\r\n",
    "nothing known": bytes(range(128, 256)) * 10,
    "digits": b"123456",
}


def take_all(sent: bytes, step: int) -> tuple[Fence, bytes]:
    fence = Fence(is_workspace)
    return fence, b"".join([fence.take(sent[at : at + step]) for at in range(0, len(sent), step)])


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_what_names_a_workspace_is_refused(sent: bytes, step: int) -> None:
    with pytest.raises(Refused, match="Databricks") as refused:
        take_all(sent, step)
    assert refused.value.reason is Reason.SERVER_NAME_MISMATCH


@pytest.mark.parametrize("sent", PASSES.values(), ids=PASSES)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_what_does_not_goes_through_as_it_came(sent: bytes, step: int) -> None:
    fence, passed = take_all(sent, step)
    more = b"and more" * 5
    assert passed + fence.take(more) == sent + more


@pytest.mark.parametrize("sent", [b"SSH-2.0-x\r\n", b"PING\r\n", b"QUIT\n", b"1", b"x" * 33])
def test_what_is_no_tls_is_not_kept(sent: bytes) -> None:
    """Whoever sent it waits for an answer, and sends nothing else before."""
    assert take_all(sent, 1)[1] == sent
    assert take_all(b"PIN", 1)[1] == b"PIN"


def test_a_hello_is_kept_until_it_is_whole() -> None:
    hello = client_hello(OTHER)
    fence = Fence(is_workspace)
    assert fence.take(hello[:-1]) == b""
    assert fence.take(hello[-1:]) == hello


def test_a_hello_that_does_not_end_is_refused() -> None:
    first = b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + bytes(0x4000 - 4)
    record = b"\x16\x03\x01\x40\x00" + bytes(0x4000)
    with pytest.raises(Refused, match="does not end"):
        take_all(first + record * (MAX_HELLO // len(record) + 1), len(record))


@given(st.binary(min_size=1, max_size=300), st.integers(1, 50))
def test_any_bytes_go_through_or_are_kept_or_refused(sent: bytes, step: int) -> None:
    fence = Fence(is_workspace)
    passed = b""
    try:
        for at in range(0, len(sent), step):
            passed += fence.take(sent[at : at + step])
            assert sent.startswith(passed)
    except Refused:
        return


COSTLY = {
    "a name without a dot": (b"GET / HTTP/1.1\r\n\r\n\nHost:" + b"-" * 262_144, 262_144),
    "words without a dot": (b"GET / HTTP/1.1\r\n\r\n\nHost:" + b"a-" * 131_072, 262_144),
    "one without a dot, in a target": (b"GET http://" + b"-" * 262_144 + b" HTTP/1.1\r\n", 262_144),
    "SOCKS, byte by byte": (b"\x05\x01\x00\x03\x01" * 1000, 1),
}


@pytest.mark.parametrize(("sent", "step"), COSTLY.values(), ids=COSTLY)
def test_what_it_costs_is_bounded_by_what_comes(sent: bytes, step: int) -> None:
    """A client without any token had the proxy look for minutes at what it sent in a moment, and nobody else served."""
    start = time.process_time()
    take_all(sent, step)
    assert time.process_time() - start < 3
