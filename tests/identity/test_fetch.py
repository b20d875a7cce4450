"""Fetching: over verified TLS, within one deadline, within bounds; everything else is an error in words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from brickscope.identity import fetch as fetch_module
from brickscope.identity.fetch import Fetcher, FetchError
from lab.workspace.authority import Authority

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def fetched(folder: Path, serve: Serve, name: str = "localhost") -> bytes | None:
    """What fetching from a server gives that has a certificate for ``name``."""

    async def play() -> bytes | None:
        authority = Authority(folder)
        leaf = authority.issue([name])
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(leaf.certificate_file, leaf.key_file)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        try:
            trust = ssl.create_default_context(cafile=str(authority.ca_file))
            return await Fetcher(trust).fetch(f"https://localhost:{port}/oidc/jwks.json")
        finally:
            server.close()

    return asyncio.run(play())


def answering(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return serve


def test_a_document(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        writer.close()

    assert fetched(tmp_path, serve) == b"{}"
    assert asked[0].startswith(b"GET /oidc/jwks.json HTTP/1.1\r\nHost: localhost\r\n")


def test_none_where_there_is_none(tmp_path: Path) -> None:
    assert fetched(tmp_path, answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")) is None


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for code in HEAD * 100:
        writer.write(bytes([code]))
        await asyncio.sleep(0.05)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


WRONG: dict[str, tuple[Serve, str]] = {
    "an error": (answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), "answered 500"),
    "a redirect": (
        answering(b"HTTP/1.1 302 Found\r\nLocation: https://evil.example.com/\r\nContent-Length: 0\r\n\r\n"),
        "answered 302",
    ),
    "too much": (answering(HEAD + b"\r\n" + b"x" * 300_000), "more than 256 KiB"),
    "too large a head": (answering(HEAD + b"X: " + b"x" * 100_000), "can't be reached"),
    "compressed": (answering(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), "compressed"),
    "cut short": (answering(HEAD + b"Content-Length: 20\r\n\r\n{}"), "can't be reached"),
    "no HTTP": (answering(b"SSH-2.0-x\r\n"), "can't be reached"),
    "nothing": (answering(b""), "can't be reached"),
    "a byte now and then": (drip, "did not answer in"),
    "silence": (silent, "did not answer in"),
}


@pytest.mark.parametrize(("serve", "message"), WRONG.values(), ids=WRONG)
def test_all_else_is_an_error_in_words(
    serve: Serve, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "TIMEOUT_S", 1.0)
    with pytest.raises(FetchError, match=message):
        fetched(tmp_path, serve)


def test_a_certificate_of_another_host(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"can't be reached \(SSLCertVerificationError\)"):
        fetched(tmp_path, answering(HEAD + b"Content-Length: 2\r\n\r\n{}"), "dbc-x.cloud.databricks.com")


def test_nobody_listens() -> None:
    async def play() -> None:
        await Fetcher(ssl.create_default_context()).fetch("https://127.0.0.1:1/x")

    with pytest.raises(FetchError, match="can't be reached"):
        asyncio.run(play())
