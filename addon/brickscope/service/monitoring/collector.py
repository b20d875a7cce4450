"""From what is known to what Prometheus reads. Everything is looked up when a scrape asks for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from brickscope.core.policy import Policy
from brickscope.log.writer import AuditWriter

from .distribution import Distribution
from .metrics import BY_NAME
from .readiness import Obstacle, Reason
from .tally import Tally


class Versions(NamedTuple):
    """Of what runs."""

    brickscope: str
    mitmproxy: str
    python: str


class Engine(NamedTuple):
    """What only the engine knows, now. ``ca_expires``: seconds since the epoch."""

    client_connections: int
    server_connections: int
    ca_expires: float | None


class Proxy(Protocol):
    """The process that metrics are about."""

    tally: Tally
    writer: AuditWriter
    versions: Versions

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


class ProxyCollector:
    """A collector for prometheus-client. A part that fails is left out and counted; the others are there all the same."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._parts: tuple[Callable[[], Iterable[Family]], ...] = (
            self._status,
            self._calls,
            self._times,
            self._audit,
            self._policy,
            self._expiry,
            self._engine,
        )

    def collect(self) -> Iterator[Family]:
        """All families."""
        for part in self._parts:
            try:
                yield from list(part())
            except Exception as error:
                self._proxy.tally.failed(error)
        yield _family("brickscope_metrics_errors_total", [((), self._proxy.tally.errors)])

    def _status(self) -> Iterator[Family]:
        yield _family("brickscope_build_info", [(tuple(self._proxy.versions), 1)])
        found = {obstacle.reason for obstacle in self._proxy.obstacles()}
        yield _family("brickscope_ready", [((), not found)])
        yield _family("brickscope_not_ready", [((reason.value,), reason in found) for reason in Reason])
        yield _family("brickscope_healthy", [((), not self._proxy.faults())])

    def _calls(self) -> Iterator[Family]:
        tally = self._proxy.tally
        yield _family(
            "brickscope_decisions_total",
            [
                ((subject, _decision(allow), reason, mode, str(enforced).lower()), cell[0])
                for (subject, allow, reason, mode, enforced), cell in tally.decisions.items()
            ],
        )
        yield _family(
            "brickscope_tunnels_total",
            [((_decision(allow), reason), count) for (allow, reason), count in tally.tunnels.items()],
        )
        yield _by("brickscope_tls_refused_total", tally.tls_refused)
        yield _family("brickscope_calls_in_flight", [((), tally.in_flight)])
        yield _by("brickscope_outcomes_total", tally.outcomes)
        yield _by("brickscope_call_failures_total", tally.failures)
        yield _family("brickscope_upstream_connect_failures_total", [((), tally.connect_failures)])
        yield _family("brickscope_parent_proxy_failures_total", [((), tally.parent_failures)])
        yield _by("brickscope_body_bytes_total", tally.bytes)
        yield _by("brickscope_issuer_key_fetches_total", tally.key_fetches)
        yield _maybe("brickscope_issuer_key_last_failure_timestamp_seconds", tally.key_failed_at)

    def _times(self) -> Iterator[Family]:
        tally = self._proxy.tally
        yield _histogram("brickscope_decision_seconds", [((), tally.decision_s)])
        yield _histogram(
            "brickscope_request_delay_seconds", [((body,), each) for body, each in tally.delay_s.items()]
        )
        yield _histogram("brickscope_upstream_wait_seconds", [((), tally.upstream_s)])
        yield _histogram("brickscope_call_duration_seconds", [((), tally.call_s)])
        yield _histogram("brickscope_event_loop_lag_seconds", [((), tally.loop_lag_s)])

    def _audit(self) -> Iterator[Family]:
        writer = self._proxy.writer
        statistics = writer.statistics
        yield _family("brickscope_audit_records_total", [((), statistics.records)])
        yield _family("brickscope_audit_bytes_total", [((), statistics.bytes)])
        yield _family("brickscope_audit_failing", [((), writer.is_failing)])
        yield _family("brickscope_audit_write_failures_total", [((), statistics.failures)])
        yield _maybe("brickscope_audit_last_failure_timestamp_seconds", statistics.failed_at)
        yield _maybe("brickscope_audit_unsynced_seconds", writer.unsynced_s)
        yield _maybe("brickscope_audit_unsigned_seconds", writer.unsigned_s)
        yield _by("brickscope_audit_gaps_total", statistics.gaps)
        yield _maybe("brickscope_audit_free_bytes", writer.free_bytes)

    def _policy(self) -> Iterator[Family]:
        policy, tally = self._proxy.policy, self._proxy.tally
        yield _family("brickscope_policy_info", [((policy.revision, policy.mode.value), 1)])
        yield _family("brickscope_policy_subjects", [((), len(_names(policy)))])
        yield _family("brickscope_policy_loaded_timestamp_seconds", [((), tally.loaded_at)])
        yield _family("brickscope_policy_load_failed", [((), tally.load_failed)])
        yield _by("brickscope_policy_reloads_total", tally.reloads)

    def _expiry(self) -> Iterator[Family]:
        now = time.time()
        everybody = self._proxy.policy.everybody
        ends = {each.name: each.expires for each in everybody if each.expires is not None}
        ahead = [(expires, name) for name, expires in ends.items() if expires > now]
        yield _family(
            "brickscope_policy_next_expiry_timestamp_seconds",
            [((name,), expires) for expires, name in sorted(ahead)[:1]],
        )
        yield _family("brickscope_policy_expired_subjects", [((), len(ends) - len(ahead))])

    def _engine(self) -> Iterator[Family]:
        engine = self._proxy.engine()
        yield _family(
            "brickscope_connections_open",
            [(("client",), engine.client_connections), (("server",), engine.server_connections)],
        )
        yield _maybe("brickscope_ca_expiry_timestamp_seconds", engine.ca_expires)


class Exposition:
    """The text that a scrape gets, of one process."""

    def __init__(self, proxy: Proxy) -> None:
        # A registry of its own: prometheus-client's global one holds whatever any library puts there.
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(ProxyCollector(proxy))
        ProcessCollector(registry=self._registry)
        self._one = asyncio.Lock()

    async def render(self) -> bytes:
        """In Prometheus' text format, version 0.0.4."""
        async with self._one:
            # The numbers are taken in the loop, at one moment; their text, some milliseconds where subjects are many, is
            # made beside it. One at a time: the threads are those that names are resolved by.
            taken = _Taken(list(self._registry.collect()))
            return await asyncio.to_thread(generate_latest, taken)


class _Taken(Collector):
    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _names(policy: Policy) -> set[str]:
    return {subject.name for subject in policy.everybody}


def _decision(allow: bool) -> str:
    return "allow" if allow else "deny"


def _family(name: str, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    metric = BY_NAME[name]
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind == "counter":
        family = CounterMetricFamily(name.removesuffix("_total"), metric.text, labels=metric.labels)
    else:
        family = GaugeMetricFamily(name, metric.text, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, float(value))
    return family


def _by(name: str, values: dict[str, int]) -> Family:
    return _family(name, [((label,), value) for label, value in values.items()])


def _maybe(name: str, value: float | None) -> Family:
    return _family(name, [] if value is None else [((), value)])


def _histogram(name: str, values: Iterable[tuple[tuple[str, ...], Distribution]]) -> Family:
    metric = BY_NAME[name]
    family = HistogramMetricFamily(name, metric.text, labels=metric.labels)
    for labels, distribution in values:
        family.add_metric(labels, buckets=distribution.buckets(), sum_value=distribution.total)
    return family
