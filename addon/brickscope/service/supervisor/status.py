"""The status of a fleet: the supervisor serves it, from what its workers say and what it knows itself."""

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h11
import orjson
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric as Family

from brickscope.service.monitoring.address import read_address
from brickscope.service.monitoring.collector import FLEET_METRICS, TEXT, Families, Found, family, merge
from brickscope.service.monitoring.status import Page, StatusServer, json_page

from .channel import FOLDER, worker_address
from .fleet import Fleet
from .worker_process import WorkerProcess

logger = logging.getLogger("brickscope.supervisor")

SECONDS = 3.0
"""So long is waited for a worker's page; one whose event loop is stuck does not answer."""
MAX_BODY = 64 * 1024 * 1024


class FleetStatus:
    """``/metrics``, ``/healthz`` and ``/readyz`` of all workers together."""

    def __init__(self, fleet: Fleet, stopping: Callable[[], bool]) -> None:
        self._fleet = fleet
        self._stopping = stopping
        self._folder: str | None = None
        self.unreachable = 0
        """Pages that a worker was asked for in vain."""
        pages = {"/metrics": self._metrics, "/healthz": self._healthz, "/readyz": self._readyz}
        self._server = StatusServer({"/": lambda: json_page({"pages": list(pages)}), **pages})
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Families(self._families))
        # The names are the workers' too, which have the label `worker`.
        ProcessCollector(namespace="brickscope_supervisor", registry=self._registry)

    async def start(self, address: str) -> None:
        """Serve at ``scope_status``, if it is not empty. Before any worker starts. Raises OSError."""
        if not address:
            return
        await self._server.start(read_address(address))
        # Short, since the path of a socket may have 108 bytes only, and nobody's but ours.
        self._folder = os.environ[FOLDER] = tempfile.mkdtemp(prefix="brickscope-")
        logger.info("status at %s", self._server.address)

    def close(self) -> None:
        """Serve no more."""
        self._server.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _families(self) -> Iterator[Family]:
        fleet = self._fleet
        serving, draining = len(fleet.serving), sum(worker.draining for worker in fleet.workers)
        values: dict[str, Found] = {
            "brickscope_workers": {
                "serving": serving,
                "draining": draining,
                "starting": len(fleet.workers) - serving - draining,
            },
            "brickscope_workers_wanted": fleet.size,
            "brickscope_worker_starts_total": fleet.started,
            "brickscope_worker_crashes_total": fleet.crashed,
            "brickscope_worker_unreachable_total": self.unreachable,
        }
        for metric in FLEET_METRICS:
            yield family(metric, values[metric.name])

    async def _ask(self, target: str, workers: list[WorkerProcess]) -> dict[str, Page | None]:
        """A page of each worker, by its number; None for those that do not answer."""

        async def ask(worker: WorkerProcess) -> Page | None:
            try:
                path = worker_address(worker.number).path
                assert path is not None
                return await fetch_page(path, target, SECONDS)
            except OSError:
                self.unreachable += 1
                return None

        pages = await asyncio.gather(*(ask(worker) for worker in workers))
        return {str(worker.number): page for worker, page in zip(workers, pages, strict=True)}

    async def _metrics(self) -> Page:
        # Also those that drain: their last calls count.
        pages = await self._ask("/metrics", [worker for worker in self._fleet.workers if worker.ready])
        texts = {number: page.body.decode() for number, page in pages.items() if page and page.status == 200}
        return Page(200, await asyncio.to_thread(merge, texts) + generate_latest(self._registry), TEXT)

    async def _healthz(self) -> Page:
        """Healthy: the supervisor answers, and so does the gate of each worker that serves."""
        pages = await self._ask("/healthz", self._fleet.serving)
        faults = [f"worker {number}: {_fault(page)}" for number, page in pages.items() if _fault(page)]
        return json_page({"healthy": not faults, "faults": faults}, 503 if faults else 200)

    async def _readyz(self) -> Page:
        """Ready: one worker is."""
        pages = await self._ask("/readyz", self._fleet.serving)
        stopping = self._stopping()
        ready = not stopping and any(page is not None and page.status == 200 for page in pages.values())
        reasons = []
        if stopping:
            reasons.append({"reason": "draining", "message": "The supervisor is about to stop."})
        if not pages:
            reasons.append({"reason": "no_worker", "message": "No worker serves."})
        for number, page in pages.items():
            if page is None:
                reasons.append(
                    {"worker": number, "reason": "no_answer", "message": "The worker does not answer."}
                )
            elif page.status != 200:
                reasons += [{"worker": number, **reason} for reason in orjson.loads(page.body)["reasons"]]
        return json_page({"ready": ready, "reasons": reasons}, 200 if ready else 503)


def _fault(page: Page | None) -> str:
    if page is None:
        return "it does not answer"
    return "" if page.status == 200 else "; ".join(orjson.loads(page.body)["faults"])


async def fetch_page(path: Path, target: str, seconds: float) -> Page:
    """GET ``target`` from the Unix socket at ``path``. Raises OSError: no answer by HTTP within ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await _exchange(reader, writer, target)
            finally:
                writer.transport.abort()
    except h11.RemoteProtocolError as error:
        raise OSError(f"{path} does not answer by HTTP") from error


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> Page:
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target=target, headers=[("Host", "localhost")])
    writer.write(connection.send(request) or b"")
    connection.send(h11.EndOfMessage())
    await writer.drain()
    status, kind, body = 0, "", bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(64 * 1024))
        elif isinstance(event, h11.Response):
            status = event.status_code
            kind = next(
                (value.decode("latin-1") for name, value in event.headers if name == b"content-type"), ""
            )
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise OSError("the answer is too large")
        elif isinstance(event, h11.EndOfMessage):
            return Page(status, bytes(body), kind)
        else:
            raise OSError("the connection ended early")
