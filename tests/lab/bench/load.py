"""The load generator: one process that sends a load through a proxy and counts every wrong answer.

Run as ``python -m lab.bench.load``. It reads a ``Job`` as one line of JSON, connects and warms up, prints
``ready``, waits for another line, sends the load, and prints a ``Result`` as one line of JSON.
"""

from __future__ import annotations

import itertools
import json
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import h2.exceptions

from .messages import BODY, head_bytes
from .sockets import Head, Stream, StreamEnded, open_stream
from .streams import StreamClient
from .workload import EVENTS, FILE, HOST, Call

WARM_UP = 5
CHUNK = b"\x5a" * (1 << 18)
STRIDE = 1 << 22
"""Bytes of a download between two looks at the clock."""


class Job(NamedTuple):
    """What to do. ``kind``: ``keep``, ``fresh``, ``download``, ``upload``, ``events``, or ``streams`` (HTTP/2).

    ``port``: of the upstream or of a reverse proxy, for a load without a proxy. ``denied_status``: what a denied call is
    answered with. ``patience``: seconds after which a transfer, or an answer that does not come, is an error.
    ``named_port``: by which tunnel and Host header call the workspace.
    """

    kind: str
    ca_file: str
    proxy_port: int | None
    port: int
    calls: Sequence[Sequence[Any]]
    denied_status: int = 403
    connections: int = 1
    seconds: float = 1.0
    size: int = 0
    patience: float = 120.0
    named_port: int = 443

    def head(self, call: Call, length: int = 0) -> bytes:
        """The head of a request, as this load sends it."""
        head = head_bytes(call, length)
        if self.named_port == 443:
            return head
        host = HOST.encode()
        return head.replace(b"Host: %b\r\n" % host, b"Host: %b:%d\r\n" % (host, self.named_port))


class Result(NamedTuple):
    """What came of it. ``done``: answers, right or wrong; ``opened``: connections, more than wanted if one closed."""

    done: int = 0
    wrong: int = 0
    errors: int = 0
    opened: int = 0
    seconds: float = 0.0
    median_ms: float = 0.0
    p99_ms: float = 0.0


class Worker:
    """One client with one connection, which it opens again if it was closed."""

    def __init__(self, job: Job, context: ssl.SSLContext, calls: Sequence[Call]) -> None:
        self._job = job
        self._context = context
        self._next = itertools.cycle([(job.head(call), call.allowed) for call in calls])
        self._stream: Stream | None = None
        self.opened = self.done = self.wrong = self.errors = 0
        self.delays: list[float] = []

    def reset(self) -> None:
        """Forget what was counted; the connection stays."""
        self.opened = 1 if self._stream is not None else 0
        self.done = self.wrong = self.errors = 0
        self.delays = []

    def connect(self) -> Stream:
        """The connection; opened if there is none."""
        if self._stream is None:
            job = self._job
            self._stream = open_stream(
                HOST, job.port, self._context, job.proxy_port, job.patience, job.named_port
            )
            self.opened += 1
        return self._stream

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def call(self) -> None:
        """One request and its answer."""
        request, allowed = next(self._next)
        started = time.perf_counter()
        try:
            stream = self.connect()
            stream.send(request)
            head = Head(stream.read_head())
            body = stream.read(head.length or 0)
        except (OSError, StreamEnded, ValueError):
            self.errors += 1
            self.disconnect()
            return
        self.delays.append(time.perf_counter() - started)
        self.done += 1
        if not self._is_right(head, body, allowed):
            self.wrong += 1
        if head.closes:
            self.disconnect()

    def _is_right(self, head: Head, body: bytes, allowed: bool) -> bool:
        if allowed or self._job.denied_status == 200:
            return head.status == 200 and body == BODY
        return head.status == self._job.denied_status and b"PERMISSION_DENIED" in body

    def warm_up(self, amount: int) -> None:
        """So many calls."""
        for _ in range(amount):
            self.call()

    def keep(self, until: float) -> None:
        """Calls on one connection."""
        while time.perf_counter() < until:
            self.call()

    def fresh(self, until: float) -> None:
        """A new connection for each call."""
        while time.perf_counter() < until:
            self.call()
            self.disconnect()

    def download(self) -> float:
        """Seconds for a body from the upstream."""
        stream = self.connect()
        started = time.perf_counter()
        stream.send(self._job.head(self._file_call("GET")))
        head = Head(stream.read_head())
        if head.status != 200 or head.length != self._job.size:
            raise StreamEnded(f"status {head.status}, length {head.length}")
        left = head.length
        while left:
            part = min(left, STRIDE)
            stream.drop(part)
            left -= part
            self._hurry(started)
        return time.perf_counter() - started

    def upload(self) -> float:
        """Seconds for a body to the upstream, answer included."""
        stream = self.connect()
        started = time.perf_counter()
        stream.send(self._job.head(self._file_call("PUT"), self._job.size))
        left, view = self._job.size, memoryview(CHUNK)
        while left:
            part = view[: min(left, len(view))]
            stream.send(part)
            left -= len(part)
            self._hurry(started)
        head = Head(stream.read_head())
        if head.status != 200:
            raise StreamEnded(f"status {head.status}")
        stream.read(head.length or 0)
        return time.perf_counter() - started

    def events(self) -> float:
        """Seconds until the first server-sent event."""
        stream = self.connect()
        started = time.perf_counter()
        stream.send(self._job.head(Call(self._job.calls[0][0], "POST", EVENTS, True)))
        head = Head(stream.read_head())
        if head.status != 200:
            raise StreamEnded(f"status {head.status}")
        if head.chunked:
            stream.read_chunk()
            first = time.perf_counter() - started
            while stream.read_chunk():
                pass
        else:
            stream.read(1)  # a proxy that has read it all sends it as one body
            first = time.perf_counter() - started
            stream.read((head.length or 1) - 1)
        return first

    def _hurry(self, started: float) -> None:
        if time.perf_counter() - started > self._job.patience:
            raise TimeoutError(f"a transfer took more than {self._job.patience:g} seconds")

    def _file_call(self, method: str) -> Call:
        return Call(self._job.calls[0][0], method, FILE.replace(".bin", f"-{self._job.size}.bin"), True)


def run_streams(job: Job, ready: Callable[[], None]) -> Result:
    """The load over HTTP/2: each connection has some calls open at once."""
    context = ssl.create_default_context(cafile=job.ca_file)
    context.set_alpn_protocols(["h2"])
    calls = [Call(*call) for call in job.calls]
    clients = []
    for index in range(job.connections):
        connection = open_stream(HOST, job.port, context, job.proxy_port, job.patience, job.named_port)
        own = calls[index :: job.connections] or calls
        clients.append(StreamClient(connection.socket, own, job.denied_status))
    errors = []

    def work(task: Callable[[StreamClient], None]) -> None:
        def one(client: StreamClient) -> None:
            try:
                task(client)
            except (OSError, h2.exceptions.ProtocolError) as error:
                errors.append(error)

        threads = [threading.Thread(target=one, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    work(lambda client: client.warm_up(WARM_UP))
    faults = sum(client.wrong for client in clients)
    for client in clients:
        client.reset()
    ready()
    started = time.perf_counter()
    work(lambda client: client.keep(started + job.seconds))
    elapsed = time.perf_counter() - started
    delays = sorted(delay for client in clients for delay in client.delays) or [0.0]
    return Result(
        sum(client.done for client in clients),
        sum(client.wrong for client in clients) + faults,
        len(errors),
        len(clients),
        elapsed,
        delays[len(delays) // 2] * 1000,
        delays[len(delays) * 99 // 100] * 1000,
    )


def together(workers: Sequence[Worker], work: Callable[[Worker], None]) -> None:
    """Let every worker do it, each in its thread."""
    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(job: Job, ready: Callable[[], None]) -> Result:
    """Connect and warm up, call ``ready``, send the load."""
    if job.kind == "streams":
        return run_streams(job, ready)
    context = ssl.create_default_context(cafile=job.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    calls = [Call(*call) for call in job.calls]
    workers = [
        Worker(job, context, calls[index :: job.connections] or calls) for index in range(job.connections)
    ]
    single = {"download": Worker.download, "upload": Worker.upload, "events": Worker.events}.get(job.kind)
    together(workers, lambda worker: worker.warm_up(1 if single else WARM_UP))
    faults = sum(worker.errors + worker.wrong for worker in workers)
    for worker in workers:
        if job.kind == "fresh":
            worker.disconnect()
        worker.reset()
    ready()
    started = time.perf_counter()
    if single is not None:
        try:
            return Result(1, faults, 0, 1, single(workers[0]))
        except (OSError, StreamEnded, ValueError):
            return Result(errors=1 + faults)
    until = started + job.seconds
    load = Worker.fresh if job.kind == "fresh" else Worker.keep
    together(workers, lambda worker: load(worker, until))
    elapsed = time.perf_counter() - started
    delays = sorted(delay for worker in workers for delay in worker.delays) or [0.0]
    return Result(
        sum(worker.done for worker in workers),
        sum(worker.wrong for worker in workers) + faults,
        sum(worker.errors for worker in workers),
        sum(worker.opened for worker in workers),
        elapsed,
        delays[len(delays) // 2] * 1000,
        delays[len(delays) * 99 // 100] * 1000,
    )


def main() -> None:
    """Do the job that standard input names."""

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()

    job = Job(**json.loads(sys.stdin.readline()))
    sys.stdout.write(json.dumps(run(job, ready)._asdict()) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # the connections stay open until whoever measures has read the proxy's counters


if __name__ == "__main__":
    main()
