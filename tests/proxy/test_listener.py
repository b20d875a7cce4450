"""The listener: what it was given is served or said to have ended."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import pytest
from by_hand import Scene

from brickscope.proxy.front import ESTABLISHED
from brickscope.proxy.listener import Listener

CONNECT = b"CONNECT dbc-a.cloud.databricks.com:443 HTTP/1.1\r\n\r\n"


def listener() -> Listener:
    return Listener(Scene().path, "regular")


def test_a_connection_that_cannot_be_served_is_said_to_have_ended() -> None:
    async def run() -> list[str]:
        said: list[str] = []
        listening = listener()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # no stream: asyncio refuses it
        with theirs:
            ours.setblocking(False)
            assert listening.is_quiet
            listening.take(ours, lambda: said.append("ended"))
            assert not listening.is_quiet
            for _ in range(5):
                await asyncio.sleep(0)
        assert listening.is_quiet
        return said

    assert asyncio.run(run()) == ["ended"]


def test_a_connection_without_an_address_is_closed() -> None:
    async def run() -> list[str]:
        said: list[str] = []
        listening = listener()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        listening.take(ours, lambda: said.append("ended"))
        theirs.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(theirs, 1) == b""
        theirs.close()
        await asyncio.sleep(0.05)
        assert listening.is_quiet
        return said

    assert asyncio.run(run()) == ["ended"]


def test_connections_wait_until_all_is_there() -> None:
    async def run() -> tuple[bool, bytes]:
        listening = listener()
        options = SimpleNamespace(listen_host="127.0.0.1", listen_port=0, proxyauth=None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("brickscope.proxy.listener.ctx", SimpleNamespace(options=options))
            patch.setattr("brickscope.proxy.admission.ctx", SimpleNamespace(options=options))
            await listening.bind()
            (address,) = listening.addresses
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            writer.write(CONNECT)
            await asyncio.sleep(0.05)
            waited = listening.is_quiet
            patch.setattr("brickscope.proxy.front.is_blocked", lambda client: False)
            await listening.serve()
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            listening.close()
            return waited, answer

    assert asyncio.run(run()) == (True, ESTABLISHED)
