"""What was sent and what came back, and the judgement on it: against the workspace's own ledger and the audit logs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from .call import Call
from .client import Answer

RECOVERY_S = 3.0
"""For so long after a fault has ended, a call may still be broken by it: it may have begun earlier."""
BROKEN_LOG = "audit_unavailable"


class Window(NamedTuple):
    """A time in which something was broken on purpose, in seconds of ``time.monotonic``.

    ``breaks``: whether calls may break or get 502 meanwhile. ``denies``: whether calls may be denied for want of a log.
    """

    name: str
    start: float
    end: float
    breaks: bool
    denies: bool = False

    def covers(self, start: float, end: float) -> bool:
        """Whether a call from ``start`` to ``end`` may have met it."""
        return start <= self.end + RECOVERY_S and end >= self.start


class Entry(NamedTuple):
    """A call that has ended. ``fault``: what it ended with where there was no answer."""

    call: Call
    start: float
    end: float
    answer: Answer | None
    fault: str = ""


class Judgement(NamedTuple):
    """The result. Every list holds sentences, one for each thing that must not be."""

    calls: int
    answered: int
    kinds: Counter[str]
    broken: int
    denied_without_log: int
    wrong: list[str]
    lost: list[str]


class Ledger:
    """Collects entries and windows while the soak runs."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.windows: list[Window] = []

    def add(self, call: Call, start: float, answer: Answer | None, fault: str = "") -> None:
        """A call has ended."""
        self.entries.append(Entry(call, start, time.monotonic(), answer, fault))

    def judge(self, reached: Path, logs: Iterable[Path]) -> Judgement:
        """Hold all calls against what reached the workspace and what the logs say.

        ``reached``: the workspace's ledger. ``logs``: files of the audit log, plain JSON Lines.
        """
        arrived = Counter(
            _number(line.rpartition(b" ")[2].decode()) for line in reached.read_bytes().splitlines()
        )
        decisions = read_decisions(logs)
        wrong: list[str] = []
        lost: list[str] = []
        kinds: Counter[str] = Counter()
        broken = without_log = 0
        known: set[str] = set()
        for entry in self.entries:
            number = _number(entry.call.path)
            known.add(number)
            kinds[entry.call.kind.name] += 1
            fault, closed = self._judge(entry)
            broken += entry.answer is None or entry.answer.status >= 500
            without_log += closed
            if fault:
                wrong.append(fault)
            found = decisions.get(number, [])
            if arrived[number] and not entry.call.kind.allowed:
                wrong.append(f"{entry.call.kind.name} {entry.call.path} reached the workspace")
            if arrived[number] > 1:
                wrong.append(f"{entry.call.path} reached the workspace {arrived[number]} times")
            if len(found) > 1:
                wrong.append(f"{entry.call.path} has {len(found)} decisions")
            wanted = entry.call.kind.reason
            wrong += [
                f"{entry.call.path} was decided as {reason}"
                for allowed, reason in found
                if allowed is not entry.call.kind.allowed or (wanted is not None and reason != wanted)
            ]
            if not found and (arrived[number] or (entry.answer is not None and not closed)):
                lost.append(f"{entry.call.kind.name} {entry.call.path} has no decision in the log")
        for number in arrived:
            if number not in known and number not in decisions:
                lost.append(f"a call {number} reached the workspace and has no decision")
        return Judgement(
            len(self.entries),
            sum(entry.answer is not None for entry in self.entries),
            kinds,
            broken,
            without_log,
            wrong,
            lost,
        )

    def _judge(self, entry: Entry) -> tuple[str, bool]:
        """What is wrong with how a call ended, empty for nothing; and whether it was denied because of a broken log."""
        kind, answer = entry.call.kind, entry.answer
        windows = [window for window in self.windows if window.covers(entry.start, entry.end)]
        excused = any(window.breaks for window in windows)
        if answer is None:
            expected = kind.name in ("hang", "reset")
            return "" if excused or expected else f"{kind.name} {entry.call.path} broke: {entry.fault}", False
        if answer.reason == BROKEN_LOG:
            told = any(window.denies for window in windows)
            return "" if told else f"{entry.call.path} was denied for want of a log that was not broken", True
        if kind.allowed:
            if answer.status == 200:
                return "", False
            if answer.status == 502 and (excused or kind.name in ("no such host", "reset")):
                return "", False
            return f"{kind.name} {entry.call.path} was answered {answer.status} {answer.reason}", False
        if answer.status == 403 and answer.reason == kind.reason:
            return "", False
        return f"{kind.name} {entry.call.path} was answered {answer.status} {answer.reason}", False


def read_decisions(logs: Iterable[Path]) -> dict[str, list[tuple[bool, str]]]:
    """By number of the call: whether it was allowed, and the reason."""
    found: dict[str, list[tuple[bool, str]]] = {}
    for path in logs:
        for line in path.read_bytes().splitlines():
            if b'"event":"decision"' not in line:
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # a torn line; what it spoke of must not have gone anywhere
            number = _number(record["path"])
            found.setdefault(number, []).append((record["decision"] == "allow", record["reason"]))
    return found


def _number(path: str) -> str:
    return path.rpartition("/")[2].rpartition("-")[2]


def first_of(sentences: Sequence[str], most: int = 10) -> list[str]:
    """The first few, and how many more there are."""
    more = len(sentences) - most
    return [*sentences[:most], *([f"and {more} more"] if more > 0 else [])]
