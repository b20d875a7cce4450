"""All metrics: names, labels and what each number is. ``docs/monitoring.md`` is held against this table by a test.

Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for counters; a point in time is given as
such (``_timestamp_seconds``), not as a distance from now, so that it stays right between scrapes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One metric. ``text``: what is counted or measured, in one or two sentences. ``labels``: in the order of values."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


METRICS = (
    Metric(
        "brickscope_build_info", "gauge", "Always 1; which versions run.", ("version", "mitmproxy", "python")
    ),
    Metric("brickscope_ready", "gauge", "1 if /readyz answers 200."),
    Metric(
        "brickscope_not_ready",
        "gauge",
        "1 for each reason why /readyz answers 503, 0 for the others.",
        ("reason",),
    ),
    Metric("brickscope_healthy", "gauge", "1 if /healthz answers 200: the gate is where it was put."),
    Metric(
        "brickscope_decisions_total",
        "counter",
        "Decisions on calls, by subject of the policy, decision, reason and mode. In monitor mode a "
        "denial that was not enforced has enforced=false.",
        ("subject", "decision", "reason", "mode", "enforced"),
    ),
    Metric(
        "brickscope_tunnels_total",
        "counter",
        "Decisions on tunnels and connections that stand for themselves: other hosts, and whatever was "
        "refused before a call. Tunnels to hosts under policy are not counted; their calls are.",
        ("decision", "reason"),
    ),
    Metric(
        "brickscope_tls_refused_total",
        "counter",
        "TLS handshakes that failed: with a client (it lacks the proxy's CA, most often) or with a server.",
        ("side",),
    ),
    Metric(
        "brickscope_calls_in_flight",
        "gauge",
        "Calls that may be written to their host, or were, and have not come to their end.",
    ),
    Metric(
        "brickscope_websockets_open",
        "gauge",
        "Calls in flight that have become a websocket.",
    ),
    Metric(
        "brickscope_connections_open",
        "gauge",
        "Open connections: from clients, and to hosts (servers).",
        ("side",),
    ),
    Metric(
        "brickscope_decision_seconds",
        "histogram",
        "Time to decide on a call: reading, judging and writing its record. Waits for an "
        "issuer's keys or for a body are no part of it.",
    ),
    Metric(
        "brickscope_request_delay_seconds",
        "histogram",
        "What the proxy delays an allowed request: from its head being read until it may be written to "
        "a connection to its host, with queueing in the process, engine, decision, record and waits for "
        "keys; opening that connection is no part of it. body=yes holds the time in which the client "
        "sent a body that had to be there first, so only body=no is the proxy's own.",
        ("body",),
    ),
    Metric(
        "brickscope_upstream_wait_seconds",
        "histogram",
        "From a request being ready to be written to its host to the head of the host's answer, with "
        "opening a connection where one was needed and sending the body. The host's time and the "
        "network's, most of all.",
    ),
    Metric(
        "brickscope_call_duration_seconds",
        "histogram",
        "A call that was let go on, from its decision to the last byte of its answer. Websockets are not in it.",
    ),
    Metric(
        "brickscope_event_loop_lag_seconds",
        "histogram",
        "How much later than asked for the event loop ran, four times a second. Everything in the process waits so long.",
    ),
    Metric(
        "brickscope_outcomes_total",
        "counter",
        "Calls that were let go on, by the class of their status; none: no answer came.",
        ("status",),
    ),
    Metric(
        "brickscope_call_failures_total",
        "counter",
        "Calls that were let go on and broke: the host could not be reached (connect), broke off or "
        "answered badly (upstream), the client went away (client), or the proxy ended it (proxy).",
        ("cause",),
    ),
    Metric(
        "brickscope_upstream_connect_failures_total",
        "counter",
        "Connections to hosts that could not be opened: name, address, route or port. Calls and tunnels.",
    ),
    Metric(
        "brickscope_parent_proxy_failures_total",
        "counter",
        "Tunnels that the parent proxy (scope_parent_proxy) did not open: it was down, refused, or asked for a password.",
    ),
    Metric(
        "brickscope_body_bytes_total",
        "counter",
        "Bytes of bodies of calls that came to their end.",
        ("direction",),
    ),
    Metric("brickscope_audit_records_total", "counter", "Records written to the audit log."),
    Metric("brickscope_audit_bytes_total", "counter", "Bytes written to the audit log, before compression."),
    Metric(
        "brickscope_audit_failing",
        "gauge",
        "1 while the audit log can't be written. Every call is denied then.",
    ),
    Metric(
        "brickscope_audit_write_failures_total",
        "counter",
        "Records that could not be written or brought to disk.",
    ),
    Metric(
        "brickscope_audit_last_failure_timestamp_seconds",
        "gauge",
        "When a record could last not be written or brought to disk; absent if that never happened.",
    ),
    Metric(
        "brickscope_audit_unsynced_seconds",
        "gauge",
        "Log lag: age of the oldest record that may be lost with the power. Absent where records are never synced.",
    ),
    Metric(
        "brickscope_audit_unsigned_seconds",
        "gauge",
        "Age of the oldest record that no signed checkpoint covers yet.",
    ),
    Metric(
        "brickscope_audit_gaps_total",
        "counter",
        "Gap records: something is missing from the log, and why (docs/log.md).",
        ("cause",),
    ),
    Metric(
        "brickscope_audit_free_bytes",
        "gauge",
        "Free space where the audit log lies, for the proxy's user. Absent if the log is no file.",
    ),
    Metric("brickscope_policy_info", "gauge", "Always 1; which policy is in force.", ("revision", "mode")),
    Metric("brickscope_policy_subjects", "gauge", "Subjects of the policy."),
    Metric(
        "brickscope_policy_loaded_timestamp_seconds",
        "gauge",
        "When a policy was last loaded without an error, whether or not anything had changed in it.",
    ),
    Metric(
        "brickscope_policy_load_failed",
        "gauge",
        "1 if the policy files have an error, so that the last good policy stays in force.",
    ),
    Metric(
        "brickscope_policy_reloads_total", "counter", "Loads of edited files since the start.", ("result",)
    ),
    Metric(
        "brickscope_policy_next_expiry_timestamp_seconds",
        "gauge",
        "When the next subject of the policy expires (`expires`), and which. Absent if none will.",
        ("subject",),
    ),
    Metric("brickscope_policy_expired_subjects", "gauge", "Subjects of the policy whose time is over."),
    Metric(
        "brickscope_ca_expiry_timestamp_seconds",
        "gauge",
        "When the proxy's certificate authority expires; no client trusts the proxy from then on.",
    ),
    Metric(
        "brickscope_issuer_key_fetches_total",
        "counter",
        "Times that the public keys of a token issuer were asked for.",
        ("result",),
    ),
    Metric(
        "brickscope_issuer_key_last_failure_timestamp_seconds",
        "gauge",
        "When an issuer's public keys could last not be had; absent if that never happened.",
    ),
    Metric(
        "brickscope_metrics_errors_total",
        "counter",
        "Counts that failed, so that some numbers here are wrong. No decision depends on them.",
    ),
)
"""Of one proxy process. The names of Python's and the process's own (``process_…``) are prometheus-client's."""

FLEET_METRICS = (
    Metric("brickscope_workers", "gauge", "Worker processes, by what they do.", ("state",)),
    Metric("brickscope_workers_wanted", "gauge", "Workers that should serve (--workers)."),
    Metric("brickscope_worker_starts_total", "counter", "Workers that were started and became ready."),
    Metric(
        "brickscope_worker_crashes_total", "counter", "Workers that ended though nobody had asked them to."
    ),
    Metric(
        "brickscope_worker_unreachable_total",
        "counter",
        "Pages that a worker was asked for and did not answer within three seconds.",
    ),
)
"""Of the supervisor, with --workers. All of METRICS then have the label ``worker`` besides."""
