"""A ClientHello in whatever pieces it comes, and what is none."""

from __future__ import annotations

import pytest

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
    parse = hello_module.parse_client_hello
    monkeypatch.setattr(
        hello_module, "parse_client_hello", lambda data: asked.append(len(data)) or parse(data)
    )
    reader = HelloReader()
    ends = [*range(step, len(sent), step), len(sent)]
    said = [reader.read(sent[:end]) for end in ends]
    assert said[:-1] == [None] * (len(ends) - 1)
    assert said[-1] is not None
    assert (said[-1].sni, said[-1].alpn_protocols) == (NAME, [b"http/1.1"])
    assert asked == [len(sent)]


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
