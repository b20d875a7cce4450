"""The listener: what did not come by it is closed, and what it was given is served or said to have ended."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from by_hand import Scene
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.test.tflow import tclient_conn

from brickscope.proxy import connections
from brickscope.proxy.connections import Connections
from brickscope.proxy.engine import Handler
from brickscope.proxy.front import ESTABLISHED
from brickscope.proxy.listener import Listener

CONNECT = b"CONNECT dbc-a.cloud.databricks.com:443 HTTP/1.1\r\n\r\n"


def hooks(monkeypatch: pytest.MonkeyPatch, handlers: dict[str, Any]) -> Connections:
    """Connection hooks beside a proxyserver that has these handlers."""
    server = SimpleNamespace(connections=handlers)
    monkeypatch.setattr(
        connections,
        "ctx",
        SimpleNamespace(master=SimpleNamespace(addons=SimpleNamespace(get=lambda name: server))),
    )
    return Connections(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "closed"),
    [(Handler, False), (ProxyConnectionHandler, True), (None, True)],
    ids=["our listener", "mitmproxy's own server", "nobody"],
)
def test_only_what_came_by_our_listener_is_served(
    monkeypatch: pytest.MonkeyPatch, kind: Any, closed: bool
) -> None:
    client = tclient_conn()
    handlers = {} if kind is None else {client.id: kind.__new__(kind)}
    hooks(monkeypatch, handlers).client_connected(client)
    assert (client.error is not None) is closed


def test_a_hook_that_fails_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(dict[str, Any]):
        def get(self, *_: object) -> Any:
            self.get = {}.get
            raise RuntimeError

    client = tclient_conn()
    hooks(monkeypatch, Broken()).client_connected(client)
    assert client.error == "Brickscope failed inside"


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
