"""From what is known to what is read: metrics for Prometheus, by ``metrics.yaml``, and the pages beside them. Everything is
looked up when somebody asks for it."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Literal, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from brickscope.core.policy import Policy
from brickscope.log.writer import AuditWriter
from brickscope.shipped import table

from .readiness import Obstacle, Reason
from .status import Page, Pages, json_page
from .tally import Distribution, Tally

TEXT = "text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One metric. ``text``: what is counted or measured, in one or two sentences. ``labels``: in the order of values.
    ``of``: the attribute of a proxy that it is; empty for one that ``collector.py`` makes."""

    name: str
    kind: Kind
    text: str
    labels: Sequence[str] = ()
    of: str = ""


def _read(part: str) -> tuple[Metric, ...]:
    written = table(__package__, "metrics.yaml")[part]
    return tuple(Metric(name, **each) for name, each in written.items())


METRICS = _read("process")
"""Of one proxy process."""

FLEET_METRICS = _read("fleet")
"""Of the supervisor, with --workers."""


class Engine(NamedTuple):
    """What only the engine knows, now. ``ca_expires``: seconds since the epoch."""

    client_connections: int
    server_connections: int
    ca_expires: float | None


class Proxy(Protocol):
    """The process that metrics are about. ``versions``: of Brickscope, mitmproxy and Python."""

    tally: Tally
    writer: AuditWriter
    versions: tuple[str, str, str]

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        ...

    def engine(self) -> Engine:
        """What only the engine knows, as of now."""
        ...

    def obstacles(self) -> list[Obstacle]:
        """Why no traffic should be led here; empty if it is ready."""
        ...

    def faults(self) -> list[str]:
        """What is wrong with the gate; empty if it is healthy."""
        ...

    def credentials(self) -> dict[str, str]:
        """Why credentials of placeholders can't be had, by name; empty for one that can, or that nobody asked for."""
        ...


Found = float | Distribution | None | Mapping[Any, float | Distribution]
"""What a metric is: nothing, a number, or numbers by the value of its label, or by the values of its labels."""


def family(metric: Metric, found: Found) -> Family:
    """A metric with its values, as prometheus-client has it."""
    make = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
    made: Any = make[metric.kind](metric.name.removesuffix("_total"), metric.text, labels=metric.labels)
    values = {} if found is None else found if isinstance(found, Mapping) else {(): found}
    for labels, value in values.items():
        names = (labels,) if isinstance(labels, str) else labels
        if isinstance(value, Distribution):
            made.add_metric(names, buckets=value.buckets(), sum_value=value.total)
        else:
            made.add_metric(names, float(value))
    return made  # type: ignore[no-any-return]


class Families(Collector):
    """A collector for prometheus-client. ``make`` is called by each scrape."""

    def __init__(self, make: Callable[[], Iterable[Family]]) -> None:
        self._make = make

    def collect(self) -> Iterable[Family]:
        """The families, as of now."""
        return self._make()


def _families(proxy: Proxy) -> Iterator[Family]:
    """All of a proxy. A metric that fails is left out and counted; the others are there all the same."""
    for metric in METRICS:
        try:
            yield family(metric, (_VALUES.get(metric.name) or attrgetter(metric.of))(proxy))
        except Exception as error:
            proxy.tally.failed(error)


def _not_ready(proxy: Proxy) -> dict[str, float]:
    found = {obstacle.reason for obstacle in proxy.obstacles()}
    return {reason.code: reason in found for reason in Reason if reason is not Reason.CREDENTIAL_FAILING}


def _decisions(proxy: Proxy) -> dict[tuple[str, ...], float]:
    return {
        (subject, _decision(allow), reason, mode, str(enforced).lower()): cell[0]
        for (subject, allow, reason, mode, enforced), cell in proxy.tally.decisions.items()
    }


def _ends(proxy: Proxy) -> dict[str, float]:
    """When subjects expire, by their names."""
    return {each.name: each.expires for each in proxy.policy.everybody if each.expires is not None}


def _next_end(proxy: Proxy) -> dict[str, float]:
    now = time.time()
    ahead = sorted((end, name) for name, end in _ends(proxy).items() if end > now)
    return {name: end for end, name in ahead[:1]}


def _decision(allow: bool) -> str:
    return "allow" if allow else "deny"


_VALUES: dict[str, Callable[[Proxy], Found]] = {
    "brickscope_build_info": lambda of: {of.versions: 1},
    "brickscope_ready": lambda of: not of.obstacles(),
    "brickscope_not_ready": _not_ready,
    "brickscope_healthy": lambda of: not of.faults(),
    "brickscope_decisions_total": _decisions,
    "brickscope_tunnels_total": lambda of: {
        (_decision(allow), reason): count for (allow, reason), count in of.tally.tunnels.items()
    },
    "brickscope_connections_open": lambda of: {
        "client": of.engine().client_connections,
        "server": of.engine().server_connections,
    },
    "brickscope_policy_info": lambda of: {(of.policy.revision, of.policy.mode.value): 1},
    "brickscope_policy_subjects": lambda of: len({each.name for each in of.policy.everybody}),
    "brickscope_policy_next_expiry_timestamp_seconds": _next_end,
    "brickscope_policy_expired_subjects": lambda of: sum(end <= time.time() for end in _ends(of).values()),
    "brickscope_ca_expiry_timestamp_seconds": lambda of: of.engine().ca_expires,
    "brickscope_credential_failing": lambda of: {
        name: error != "" for name, error in of.credentials().items()
    },
}


class Exposition:
    """The text that a scrape gets, of one process."""

    def __init__(self, proxy: Proxy) -> None:
        # A registry of its own: prometheus-client's global one holds whatever any library puts there.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Families(partial(_families, proxy)))
        ProcessCollector(registry=self._registry)
        self._one = asyncio.Lock()

    async def render(self) -> bytes:
        """In Prometheus' text format, version 0.0.4."""
        async with self._one:
            # The numbers are taken in the loop, at one moment; their text, some milliseconds where subjects are many, is
            # made beside it. One at a time: the threads are those that names are resolved by.
            taken = list(self._registry.collect())
            return await asyncio.to_thread(generate_latest, Families(lambda: taken))


def pages_of(proxy: Proxy) -> Pages:
    """The pages of one proxy's status: path -> what makes the page."""
    exposition = Exposition(proxy)

    async def metrics() -> Page:
        return Page(200, await exposition.render(), TEXT)

    def healthz() -> Page:
        faults = proxy.faults()
        return json_page({"healthy": not faults, "faults": faults}, 503 if faults else 200)

    def readyz() -> Page:
        obstacles = proxy.obstacles()
        failing = [
            Obstacle(Reason.CREDENTIAL_FAILING, f"{name}: {error}")
            for name, error in proxy.credentials().items()
            if error
        ]
        shown = [obstacle.shown() for obstacle in (*obstacles, *failing)]
        return json_page({"ready": not obstacles, "reasons": shown}, 503 if obstacles else 200)

    pages: Pages = {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz}
    return {"/": lambda: json_page({"pages": list(pages)}), **pages}


LABEL = "worker"


def merge(expositions: Mapping[str, str]) -> bytes:
    """One exposition of several (worker -> its text, in Prometheus' format 0.0.4).

    Nothing is summed: Prometheus does that, and one worker that is in trouble would be hidden by the others. A sample that
    has the label ``worker`` already loses it. Raises ValueError, with the worker's name: its text can't be read.
    """
    merged: dict[str, Family] = {}
    for worker, text in expositions.items():
        try:
            families = list(text_string_to_metric_families(text))
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(
                f"the metrics of worker {worker} can't be read: {type(error).__name__}"
            ) from error
        for family in families:
            into = merged.setdefault(family.name, Family(family.name, family.documentation, family.type))
            for sample in family.samples:
                into.samples.append(sample._replace(labels={**sample.labels, LABEL: worker}))
    return generate_latest(Families(merged.values))
