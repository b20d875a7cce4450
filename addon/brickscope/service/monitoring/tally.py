"""What happened, as plain numbers. The hooks add to them; a scrape reads them (``collector.py``).

Invariants:

* nothing here raises. A count that fails is lost, said once in the log, and counted itself; no decision and no call
  hangs on it, neither open nor closed.
* nothing that a client sends becomes a key. Subjects are names of the policy, reasons are the closed list, all else is
  fixed here. Otherwise a client could fill memory and the operator's Prometheus with names it makes up, or put
  somebody's token where it is kept for years.
"""

from __future__ import annotations

import functools
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Literal

from brickscope import notice
from brickscope.core.decision import Decision
from brickscope.core.policy import Mode, Policy
from brickscope.core.reason import Kind, Reason

MAX_SUBJECTS = 500
"""So many subjects have counts of their own, those that called first; all others are counted together."""
UNKNOWN, OTHER = "(unknown)", "(other)"
"""Subjects that stand for nobody of the policy, and for those beyond MAX_SUBJECTS. No name of a policy has brackets."""

STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "none")
FAILURES = ("connect", "upstream", "client", "proxy")
SIDES = ("client", "server")
_REASONS = {reason.value: reason.value for reason in Reason}

Key = tuple[str, bool, str, str, bool]
"""Subject, whether it was allowed, reason, mode, whether it was enforced."""


def harmless[*Arguments](count: Callable[[Tally, *Arguments], None]) -> Callable[[Tally, *Arguments], None]:
    """A method that never raises an Exception."""

    @functools.wraps(count)
    def counted(tally: Tally, *arguments: *Arguments) -> None:
        try:
            count(tally, *arguments)
        except Exception as error:
            tally.failed(error)

    return counted


class Distribution:
    """Values counted by size. ``bounds``: upper ends of the buckets, rising; what is larger has a bucket of its own."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value. A clock that was set back makes a negative duration; it counts as none."""
        if value < 0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper end (``le``), as Prometheus has them."""
        found, so_far = [], 0
        for bound, count in zip((*map(_text, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


def _text(bound: float) -> str:
    return repr(float(bound))


class Tally:
    """Counts since the start of the process. For one event loop; not for threads. Times are in seconds."""

    def __init__(self) -> None:
        self.errors = 0
        """Counts that failed."""
        self.decisions: dict[Key, list[int]] = {}
        """By what is shown; each number is alone in its list, so that ``_cells`` can share it."""
        self.tunnels: dict[tuple[bool, str], int] = {}
        self.tls_refused = dict.fromkeys(SIDES, 0)
        self.outcomes = dict.fromkeys(STATUSES, 0)
        self.failures = dict.fromkeys(FAILURES, 0)
        self.connect_failures = 0
        self.parent_failures = 0
        self.bytes = {"request": 0, "response": 0}
        self.in_flight = 0
        self.websockets = 0
        self.reloads = {"loaded": 0, "unchanged": 0, "failed": 0}
        self.load_failed = False
        self.loaded_at = time.time()
        self.key_fetches = {"fetched": 0, "failed": 0}
        self.key_failed_at: float | None = None
        self.decision_s = Distribution(
            (25e-6, 50e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.1, 0.5, 1.0)
        )
        delays = (5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
        self.delay_s = {"no": Distribution(delays), "yes": Distribution(delays)}
        waits = (5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
        self.upstream_s = Distribution(waits)
        self.call_s = Distribution(waits)
        self.loop_lag_s = Distribution((1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0))
        self._names: frozenset[str] = frozenset()
        self._shown: set[str] = set()
        self._cells: dict[Key, list[int]] = {}

    def failed(self, error: BaseException) -> None:
        """A count was lost. Says so once: the type only, since the text may hold what a client sent."""
        try:
            self.errors += 1
        except TypeError:  # even this number is none
            self.errors = 1
        if self.errors == 1:
            text = f"{type(error).__name__} in the metrics: some numbers are wrong from now on; no decision depends on them"
            notice.error("metrics_failed", text)

    @harmless
    def count(self, what: Literal["websockets", "connect_failures", "parent_failures"]) -> None:
        """A call has become a websocket; a connection to a host could not be opened; the parent proxy did not connect."""
        setattr(self, what, getattr(self, what) + 1)

    # -- policy ------------------------------------------------------------------------------------------------

    @harmless
    def know(self, policy: Policy) -> None:
        """This policy is in force: its subjects may be shown by name."""
        self._names = frozenset(subject.name for subject in policy.everybody)
        self._cells.clear()  # a name that is gone is nobody's
        # A series that is born with its first count looks to Prometheus as if nothing had been counted: the first unknown
        # token would raise no alarm.
        for reason in Reason:
            if reason.kind in (Kind.SUBJECT, Kind.INTERNAL):
                monitored = reason.kind is Kind.SUBJECT and policy.mode is Mode.MONITOR
                self.decisions.setdefault(
                    (UNKNOWN, False, reason.value, "monitor" if monitored else "enforce", not monitored), [0]
                )
            elif reason.kind is Kind.DESTINATION:
                self.tunnels.setdefault((False, reason.value), 0)

    @harmless
    def reloaded(self, result: str) -> None:
        """The policy was loaded again: ``loaded``, ``unchanged`` or ``failed``."""
        self.reloads[result] += 1
        self.load_failed = result == "failed"
        if not self.load_failed:
            self.loaded_at = time.time()

    @harmless
    def keys_fetched(self, success: bool) -> None:
        """Public keys of an issuer came, or not. No label says whose: anybody can make up an issuer's address."""
        self.key_fetches["fetched" if success else "failed"] += 1
        if not success:
            self.key_failed_at = time.time()

    # -- calls -------------------------------------------------------------------------------------------------

    # Those of every call catch by themselves: the wrapper would cost as much as the counting.

    def decided(self, decision: Decision, took: float | None) -> None:
        """A decision on a request; ``took``: how long it took, with its record; None where that is not known."""
        try:
            reason = decision.reason._value_
            key = (decision.subject or UNKNOWN, decision.allow, reason, decision.mode, decision.enforced)
            cell = self._cells.get(key)
            if cell is None:
                cell = self._cell(key)
            cell[0] += 1
            if took is not None:
                self.decision_s.add(took)
        except Exception as error:
            self.failed(error)

    def _cell(self, key: Key) -> list[int]:
        subject, allow, reason, mode, enforced = key
        known = subject in self._names
        if not known:
            subject = UNKNOWN
        elif subject not in self._shown:
            if len(self._shown) < MAX_SUBJECTS:
                self._shown.add(subject)
            else:
                subject = OTHER
        # Whatever it is that comes here, it is one of the list or it raises.
        shown = (
            subject,
            allow,
            _REASONS[reason],
            "monitor" if mode == "monitor" else "enforce",
            enforced,
        )
        cell = self.decisions.setdefault(shown, [0])
        if known or key[0] == UNKNOWN:
            self._cells[key] = cell
        return cell

    def left(self, has_body: bool, read: float, now: float) -> None:
        """A request whose head was read at ``read`` may be written to its host."""
        try:
            self.in_flight += 1
            self.delay_s["yes" if has_body else "no"].add(now - read)
        except Exception as error:
            self.failed(error)

    def ended(
        self,
        status: int | None,
        request_bytes: int,
        response_bytes: int | None,
        took: float,
        left: float | None,
        answered: float | None,
    ) -> None:
        """A call that was let go on came to its end, ``took`` after its decision. ``left``: when it might be written to its
        host; ``answered``: when the head of the answer came; None for what never happened."""
        try:
            if left is not None:
                self.in_flight -= 1
                if answered is not None:
                    self.upstream_s.add(answered - left)
            known = status is not None and 100 <= status < 600
            self.outcomes[STATUSES[status // 100 - 1] if known else "none"] += 1  # type: ignore[operator]
            total = self.bytes
            total["request"] += request_bytes
            total["response"] += response_bytes or 0
            if status == 101:
                self.websockets -= 1  # open for hours, it says nothing about how long calls take
            else:
                self.call_s.add(took)
        except Exception as error:
            self.failed(error)

    @harmless
    def broke(self, cause: str) -> None:
        """A call that was let go on broke; ``cause``: one of FAILURES."""
        self.failures[cause if cause in self.failures else "proxy"] += 1

    # -- connections -------------------------------------------------------------------------------------------

    @harmless
    def tunnelled(self, decision: Decision) -> None:
        """A decision on a tunnel or connection."""
        key = (decision.allow, decision.reason.value)
        self.tunnels[key] = self.tunnels.get(key, 0) + 1

    @harmless
    def refused_tls(self, side: str) -> None:
        """A TLS handshake failed; ``side``: with a ``client`` or a ``server``."""
        self.tls_refused[side] += 1

    @harmless
    def lagged(self, seconds: float) -> None:
        """The event loop came so much later than it was asked to."""
        self.loop_lag_s.add(seconds)
