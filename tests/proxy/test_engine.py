"""mitmproxy's own proxy serves nobody."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest
from mitmproxy.proxy import mode_specs
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import taddons
from mitmproxy.test.tflow import tclient_conn, tserver_conn

from brickscope.proxy.engine import Engine, silence


def test_whoever_comes_by_its_listener_is_closed_unread() -> None:
    async def run() -> bytes:
        ended = asyncio.Event()
        with taddons.context(Engine()) as context:

            async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                mode = mode_specs.ProxyMode.parse("regular")
                handler: Any = ProxyConnectionHandler(context.master, reader, writer, context.options, mode)  # type: ignore[no-untyped-call]
                await handler.handle_client()
                ended.set()

            server = await asyncio.start_server(accepted, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                answer = await reader.read(1000)
            await ended.wait()
            server.close()
            return answer

    assert asyncio.run(run()) == b""


def test_it_connects_to_nobody() -> None:
    data = ServerConnectionHookData(tserver_conn(), tclient_conn())
    data.server.error = None
    Engine().server_connect(data)
    assert data.server.error


def test_its_log_of_connections_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    silence()
    logging.getLogger("mitmproxy.proxy.server").error("dapi0123")
    assert caplog.records == []
