"""The parent proxy's answer: whatever fails while it is read ends the connection, and the call is told so at once."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
from by_hand import PretendedTransport

from brickscope.proxy import parent as module
from brickscope.proxy.parent import Address, Parent, ParentError

PLACE = ("192.0.2.7", 3128)


async def resolve(*_: Any, **__: Any) -> list[Any]:
    return [(2, 1, 6, "", PLACE)]


def opened(*pieces: bytes) -> tuple[PretendedTransport, bytes]:
    """The connection to a parent that answers so, and what came after its answer. Raises ParentError."""

    async def story() -> tuple[PretendedTransport, bytes]:
        loop, transport = asyncio.get_running_loop(), PretendedTransport(PLACE)
        made.append(transport)

        async def connect(factory: Any, *_: Any, **__: Any) -> Any:
            transport.protocol = factory()
            transport.protocol.connection_made(transport)
            for piece in pieces:
                loop.call_soon(transport.protocol.data_received, piece)
            return transport, transport.protocol

        loop.create_connection = connect  # type: ignore[method-assign]
        parent = Parent(
            Address(*PLACE, tls=False), ssl.create_default_context(), resolve, lambda *_: "", lambda: None
        )
        _, ahead = await parent.open("dbc-a.cloud.databricks.com", 443, 5)
        return transport, ahead

    made: list[PretendedTransport] = []
    try:
        return asyncio.run(story())
    except ParentError:
        assert made[0].closed == "aborted"
        raise


def test_an_answer_in_pieces_opens_the_way() -> None:
    transport, ahead = opened(b"HTTP/1.1 200 OK\r\n", b"\r\nfirst")
    assert transport.written.startswith(b"CONNECT dbc-a.cloud.databricks.com:443 HTTP/1.1\r\n")
    assert (transport.closed, ahead) == ("", b"first")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "it answered 407"),
        (b"HTTP/1.1 200 OK\n\n\r\n\r\n", "the head of its answer is not regular"),
        (b"x" * (module.MAX_HEAD + 1), "the head of its answer is not regular"),
    ],
    ids=["another status", "an odd head", "a head without end"],
)
def test_what_opens_no_way(answer: bytes, why: str) -> None:
    with pytest.raises(ParentError, match=why):
        opened(answer)


def test_what_raises_while_it_is_read_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "REGULAR_ANSWER", None)
    with pytest.raises(ParentError, match="its answer could not be read"):
        opened(b"HTTP/1.1 200 secret\r\n\r\n")
    assert "AttributeError in data_received" in caplog.text
    assert "secret" not in caplog.text
