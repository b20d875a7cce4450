"""Fetching one small public document over verified TLS.

By urllib3, in a thread of its own, after the addresses were looked up by the event loop: there the proxy's rules about
addresses (no private ones, ``scope_connect_to``) hold for this connection as they do for every other. The process's
own HTTPS_PROXY is not obeyed: it may well name this very proxy.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import urllib3

MAX_BYTES = 256 * 1024
TIMEOUT_S = 10.0
"""Most that one document may take, from look-up to last byte."""
THREADS = 4


class FetchError(Exception):
    """The document can't be had; the message says why, in one clause, for the operator."""


class Fetcher:
    """Fetches documents. ``trust``: the TLS context that verifies servers."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        # Of its own: asyncio's pool also looks up names, which a slow server here must not delay.
        self._threads = ThreadPoolExecutor(THREADS, "brickscope-fetch")

    async def fetch(self, url: str) -> bytes | None:
        """The document at an https URL; None where the host says it has none (404).

        Raises FetchError: no address, no connection, no trust, another status, too large, too slow.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                addresses = [(str(entry[4][0]), int(entry[4][1])) for entry in found]
                return await loop.run_in_executor(self._threads, self._get, host, addresses, parts.path)
        except TimeoutError:
            raise FetchError(f"{host} did not answer in {TIMEOUT_S:.0f} s") from None
        except OSError as error:
            raise FetchError(f"{host} has no address that may be reached ({type(error).__name__})") from None

    def _get(self, host: str, addresses: list[tuple[str, int]], path: str) -> bytes | None:
        failed = FetchError(f"{host} has no address")
        for address, port in addresses[:3]:
            try:
                return self._get_from(host, address, port, path)
            except urllib3.exceptions.HTTPError as error:
                failed = FetchError(f"{host} can't be reached ({type(error).__name__})")
        raise failed

    def _get_from(self, host: str, address: str, port: int, path: str) -> bytes | None:
        with urllib3.HTTPSConnectionPool(
            address,
            port,
            timeout=urllib3.Timeout(connect=TIMEOUT_S / 3, read=TIMEOUT_S / 2),
            retries=False,
            ssl_context=self._trust,
            server_hostname=host,
            assert_hostname=host,
        ) as pool:
            response = pool.request(
                "GET",
                path,
                headers={"Host": host, "Accept": "application/json", "User-Agent": "brickscope"},
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise FetchError(f"{host} answered {response.status}")
                content = response.read(MAX_BYTES + 1)
            finally:
                response.close()
        if len(content) > MAX_BYTES:
            raise FetchError(f"{host} sent more than {MAX_BYTES // 1024} KiB")
        return content

    def close(self) -> None:
        """Let the threads end; what they fetch is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
