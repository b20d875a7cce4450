"""A ClientHello in whatever pieces it comes, and what is none."""

from __future__ import annotations

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.proxy.layers.tls import parse_client_hello
from OpenSSL import SSL

from brickscope.proxy import hello as hello_module
from brickscope.proxy.hello import MAX_HELLO, HelloReader, NoHello
from client_hello import client_hello

NAME = "dbc-a.cloud.databricks.com"
HELLO = client_hello(NAME, ("http/1.1",))


def in_records(size: int) -> bytes:
    """The same message in records of ``size`` bytes."""
    pieces = [HELLO[at : at + size] for at in range(5, len(HELLO), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize(
    "sent", [HELLO, in_records(1), in_records(20)], ids=["one", "of a byte", "of 20 bytes"]
)
@pytest.mark.parametrize("step", [1, 3, 1 << 20])
def test_the_parser_is_asked_once_however_it_comes(
    sent: bytes, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    parse = hello_module.read_message
    monkeypatch.setattr(hello_module, "read_message", lambda data: asked.append(len(data)) or parse(data))
    reader = HelloReader()
    ends = [*range(step, len(sent), step), len(sent)]
    said = [reader.read(sent[:end]) for end in ends]
    assert said[:-1] == [None] * (len(ends) - 1)
    assert said[-1] == (NAME, (b"http/1.1",))
    assert asked == [len(HELLO) - 9]


@pytest.mark.parametrize(
    "sent",
    {
        "text": b"GET / HTTP/1.1\r\n",
        "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
        "another message of TLS": b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        "an empty record": b"\x16\x03\x01\x00\x00",
        "a record of another kind within": in_records(20)[:25] + b"\x17\x03\x01\x00\x01\x00",
        "no version of TLS": b"\x16\x02\x00" + HELLO[3:],
        "a message that ends too early": b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
    }.items(),
    ids=lambda case: case[0],
)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_what_is_none_is_told(sent: tuple[str, bytes], step: int) -> None:
    reader, raw = HelloReader(), sent[1]

    def read_all() -> None:
        for end in [*range(step, len(raw), step), len(raw)]:
            assert reader.read(raw[:end]) is None

    with pytest.raises(NoHello, match="can't be read"):
        read_all()


def test_one_that_does_not_end_is_given_up() -> None:
    first = b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + bytes(0x4000 - 4)
    record = b"\x16\x03\x01\x40\x00" + bytes(0x4000)
    reader, raw = HelloReader(), first + record * 3
    assert len(raw) > MAX_HELLO
    assert reader.read(raw[:MAX_HELLO]) is None
    with pytest.raises(NoHello, match="does not end"):
        reader.read(raw)


# -- what is read is what TLS reads ---------------------------------------------------------------------------------------


def vector(content: bytes, width: int) -> bytes:
    return len(content).to_bytes(width, "big") + content


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(content, 2)


def named(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(b"".join(bytes([kind]) + vector(name, 2) for name in names), 2))


def offering(*offers: bytes) -> bytes:
    return extension(16, vector(b"".join(vector(offer, 1) for offer in offers), 2))


def made(
    *extensions: bytes, session: bytes = b"", suites: bytes = b"\x13\x01", methods: bytes = b"\0"
) -> bytes:
    """A ClientHello in one record, without what TLS 1.3 adds."""
    body = b"\x03\x03" + bytes(32) + vector(session, 1) + vector(suites, 2) + vector(methods, 1)
    body += vector(b"".join(extensions), 2) if extensions else b""
    return b"\x16\x03\x01" + vector(b"\x01" + vector(body, 3), 2)


READ: dict[str, tuple[bytes, tuple[str | None, tuple[bytes, ...]]]] = {
    "one without extensions": (made(), (None, ())),
    "one that names nobody": (made(extension(23, b"")), (None, ())),
    "a name and offers, in any order": (
        made(offering(b"h2", b"http/1.1"), named(b"a.b")),
        ("a.b", (b"h2", b"http/1.1")),
    ),
    "a name in any case": (made(named(b"A.b.")), ("A.b.", ())),
    "an extension that nobody knows (RFC 8701)": (made(extension(0x0A0A, b"x"), named(b"a")), ("a", ())),
    "an offer that nobody knows": (made(offering(b"\x1a\x1a", b"h2")), (None, (b"\x1a\x1a", b"h2"))),
    "what follows it": (made(named(b"a")) + b"\x14\x03\x03\0\x01\x01", ("a", ())),
}
UNREAD = {
    "two names in one extension": made(named(b"a", b"b")),
    "two extensions with a name": made(named(b"a"), named(b"b")),
    "the same extension twice": made(extension(23, b""), extension(23, b"")),
    "a name of another kind": made(named(b"a", kind=1)),
    "an empty name": made(named(b"")),
    "a name beyond ASCII": made(named("é".encode())),
    "an extension for names without any": made(extension(0, b"")),
    "an empty list of names": made(extension(0, b"\0\0")),
    "bytes behind the list of names": made(extension(0, vector(b"\0" + vector(b"a", 2), 2) + b"x")),
    "a list of names that is cut": made(extension(0, vector(b"\0" + vector(b"a", 2), 2)[:-1])),
    "an empty offer": made(offering(b"", b"h2")),
    "an offer that is cut": made(extension(16, b"\0\x03\x02h")),
    "a session of 33 bytes": made(session=bytes(33)),
    "half a cipher suite": made(suites=b"\x13"),
    "no cipher suite": made(suites=b""),
    "no method": made(methods=b""),
    "an extension that is cut": made(b"\0\x17\0\x02x"),
}


@pytest.mark.parametrize(("sent", "said"), READ.values(), ids=READ)
def test_what_it_says(sent: bytes, said: tuple[str | None, tuple[bytes, ...]]) -> None:
    assert HelloReader().read(sent) == said


@pytest.mark.parametrize("sent", UNREAD.values(), ids=UNREAD)
def test_what_could_be_read_in_two_ways_is_none(sent: bytes) -> None:
    with pytest.raises(NoHello, match="can't be read"):
        HelloReader().read(sent)


def name_for_tls(sent: bytes) -> str | None:
    """The server that OpenSSL is asked for by the same bytes; None if it is none, or refuses them."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    seen: list[bytes | None] = []
    context.set_tlsext_servername_callback(lambda found: seen.append(found.get_servername()))
    server = SSL.Connection(context)
    server.set_accept_state()
    server.bio_write(sent)
    with contextlib.suppress(SSL.Error):
        server.do_handshake()
    return seen[0].decode("latin-1") if seen and seen[0] is not None else None


@given(
    st.sampled_from([HELLO, client_hello(None), *(sent for sent, _ in READ.values()), *UNREAD.values()]),
    st.integers(0),
)
def test_no_other_reader_finds_another_name(sent: bytes, seed: int) -> None:
    random = Random(seed)
    raw = bytearray(sent)
    for _ in range(random.randint(0, 3)):
        at = random.choice(
            (random.randrange(5, len(raw)), max(raw.find(b"\0\0\0", 40), 9) + random.randint(-2, 9))
        )
        raw[min(at, len(raw) - 1)] = random.choice((0, 1, 2, 3, 16, random.randrange(256)))
    try:
        read = HelloReader().read(bytes(raw))
    except NoHello:
        return
    if read is not None:
        assert name_for_tls(bytes(raw)) in (read.server_name, None)
        other = parse_client_hello(bytes(raw))
        assert other is not None
        assert other.sni in (read.server_name, None)
        assert tuple(other.alpn_protocols) == read.offers
