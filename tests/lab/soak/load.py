"""The load: clients that call, and clients that only cost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Awaitable, Callable

from .call import BIG, EVENTS, HANG, HOST, NO_NAME, READ, RESET, Kind, new_call
from .client import FAULTS, Answer, Tunnel, read_answer
from .ledger import Ledger

IDLE_BATCH = 25
DRIP_S = 1.0
SLOW_HEADS = 20


class Load:
    """All clients of one soak. ``run`` goes on until it is cancelled, or told to ``end``."""

    def __init__(self, port: int, trust: ssl.SSLContext, ledger: Ledger, idle: int, pause_s: float) -> None:
        """``idle``: how many connections stay open and say nothing. ``pause_s``: what a client waits more
        between two calls, so that a short soak leaves the machine room."""
        self._port = port
        self._trust = trust
        self._ledger = ledger
        self._idle = idle
        self._pause_s = pause_s
        self._ending = False
        self.open_idle = 0
        self.dropped = 0

    def end(self) -> None:
        """Let every client stop after the call it is at."""
        self._ending = True

    async def run(self) -> None:
        """All of them at once."""
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(self._keep())
            for _ in range(3):
                group.create_task(self._repeat(self._fresh, 0.02 + self._pause_s))
            for kind, pause in ((BIG, 0.5), (EVENTS, 0.2), (RESET, 1.0), (NO_NAME, 1.0)):
                group.create_task(self._repeat(self._single(kind), pause))
            group.create_task(self._repeat(self._hang, 1.0))
            group.create_task(self._repeat(self._slow_reader, 1.0))
            for _ in range(SLOW_HEADS):
                group.create_task(self._repeat(self._slowloris, 1.0))
            for _ in range(2):
                group.create_task(self._repeat(self._drop, 0.05 + self._pause_s))
            group.create_task(self._hold_idle())

    async def _repeat(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        while not self._ending:
            await work()
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret hangs on it

    # -- calls that are judged ---------------------------------------------------------------------------------

    async def _call(self, tunnel: Tunnel, kind: Kind | None = None) -> bool:
        """One call. Returns whether the connection can be used again."""
        call, start = new_call(kind), time.monotonic()
        try:
            answer = await tunnel.call(call)
        except FAULTS as error:
            self._ledger.add(call, start, None, f"{type(error).__name__} {error}"[:200])
            return False
        self._ledger.add(call, start, answer)
        return not answer.closes

    async def _open(self, host: str = HOST) -> Tunnel | None:
        """A tunnel; if there is none to be had, that is an entry of its own, with a call that was never sent."""
        start = time.monotonic()
        try:
            return await Tunnel.open(self._port, host, self._trust)
        except FAULTS as error:
            self._ledger.add(new_call(READ), start, None, f"no tunnel: {type(error).__name__} {error}"[:200])
            await asyncio.sleep(0.1)
            return None

    async def _keep(self) -> None:
        """Calls on one connection, opened again when it was closed."""
        tunnel: Tunnel | None = None
        while not self._ending:
            tunnel = tunnel or await self._open()
            if tunnel is not None and not await self._call(tunnel):
                tunnel.close()
                tunnel = None
            await asyncio.sleep(self._pause_s)
        if tunnel is not None:
            tunnel.close()

    async def _fresh(self) -> None:
        """A connection for one call."""
        tunnel = await self._open()
        if tunnel is not None:
            await self._call(tunnel)
            tunnel.close()

    def _single(self, kind: Kind) -> Callable[[], Awaitable[None]]:
        async def call() -> None:
            tunnel = await self._open(kind.host)
            if tunnel is not None:
                await self._call(tunnel, kind)
                tunnel.close()

        return call

    async def _hang(self) -> None:
        """A call that the workspace never answers; the client gives up."""
        tunnel = await self._open()
        if tunnel is None:
            return
        call, start = new_call(HANG), time.monotonic()
        with contextlib.suppress(*FAULTS):
            async with asyncio.timeout(2):
                await tunnel.call(call)
        self._ledger.add(call, start, None, "given up")
        tunnel.abort()

    # -- clients that only cost --------------------------------------------------------------------------------

    async def _slow_reader(self) -> None:
        """Asks for 4 MiB and takes a few KiB a second of it."""
        tunnel = await self._open()
        if tunnel is None:
            return
        call, start = new_call(BIG), time.monotonic()
        answer: Answer | None = None
        fault = ""
        try:
            tunnel.writer.write(call.head)
            answer = read_answer(await tunnel.reader.readuntil(b"\r\n\r\n"))
            for _ in range(10):
                await asyncio.sleep(DRIP_S)
                if self._ending or not await tunnel.reader.read(4096):
                    break
        except FAULTS as error:
            fault = f"{type(error).__name__} {error}"[:200]
        self._ledger.add(call, start, answer, fault)
        tunnel.abort()

    async def _slowloris(self) -> None:
        """Sends a head one byte at a time and never ends it."""
        with contextlib.suppress(*FAULTS):
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                for byte in f"CONNECT {HOST}:443 HTTP/1.1\r\nX: ".encode() + b"y" * 20:
                    if self._ending:
                        break
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(DRIP_S)
            finally:
                writer.transport.abort()

    async def _drop(self) -> None:
        """Opens a connection and goes away at some stage of it."""
        stage = random.randrange(5)  # noqa: S311
        self.dropped += 1
        with contextlib.suppress(*FAULTS):
            if stage < 3:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                if stage:
                    writer.write(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
                if stage == 2:
                    writer.write(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
                    await writer.drain()
                writer.transport.abort()
            else:
                tunnel = await Tunnel.open(self._port, HOST, self._trust)
                if stage == 4:
                    tunnel.writer.write(new_call(READ).head[:40])
                    await tunnel.writer.drain()
                tunnel.abort()

    async def _hold_idle(self) -> None:
        """Keep so many connections open that have made one call, and say nothing more."""
        held: list[Tunnel] = []
        try:
            while not self._ending:
                held = [tunnel for tunnel in held if not tunnel.reader.at_eof()]
                self.open_idle = len(held)
                missing = min(IDLE_BATCH, self._idle - len(held))
                for opened in await asyncio.gather(*(self._idle_one() for _ in range(max(0, missing)))):
                    held += [opened] if opened is not None else []
                await asyncio.sleep(0.5)
        finally:
            for tunnel in held:
                tunnel.close()

    async def _idle_one(self) -> Tunnel | None:
        tunnel = await self._open()
        if tunnel is None or not await self._call(tunnel, READ):
            return None
        return tunnel
