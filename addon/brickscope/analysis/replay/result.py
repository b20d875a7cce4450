"""What a replay has found: calls in groups, by what became of them and why."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from ..again import Verdict

MAX_GROUPS = 10_000
MAX_EXAMPLES = 3


class Change(StrEnum):
    """What another policy makes of a call."""

    UNCHANGED = "unchanged"
    NEWLY_ALLOWED = "newly_allowed"
    """Denied then, allowed now."""
    NEWLY_SENT = "newly_sent"
    """Denied and refused then; now denied, but let go on by monitor mode."""
    NEWLY_DENIED = "newly_denied"
    """Allowed then, denied now."""
    NEWLY_REFUSED = "newly_refused"
    """Denied in monitor mode and sent then; now it would be refused."""
    NOT_REPLAYABLE = "not_replayable"
    """The log does not tell what the policy asks."""


LOOSER = (Change.NEWLY_ALLOWED, Change.NEWLY_SENT)
STRICTER = (Change.NEWLY_DENIED, Change.NEWLY_REFUSED)


def change(then: Verdict, now: Verdict) -> Change:
    """What the difference of two verdicts is."""
    if then.allow != now.allow:
        return Change.NEWLY_ALLOWED if now.allow else Change.NEWLY_DENIED
    if then.sent != now.sent:
        return Change.NEWLY_SENT if now.sent else Change.NEWLY_REFUSED
    return Change.UNCHANGED


class GroupKey(NamedTuple):
    """Calls of one kind. ``what``: the operation, or method and path. ``why``: why it is not replayable."""

    change: Change
    subject: str | None
    what: str
    reason: str
    reason_now: str | None
    rule: str | None
    rule_now: str | None
    why: str | None


@dataclass(slots=True)
class Group:
    """Calls of one kind: how many, when, and a few of their ids."""

    calls: int
    first_seen: str
    last_seen: str
    examples: list[str] = field(default_factory=list)

    def add(self, time: str, decision_id: str) -> None:
        """One more."""
        self.calls += 1
        self.first_seen = min(self.first_seen, time)
        self.last_seen = max(self.last_seen, time)
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(decision_id)


class Result:
    """All groups. ``bad_lines``: lines that are no record. ``revision``: of the policy that judged."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self.totals: dict[Change, int] = dict.fromkeys(Change, 0)
        self.groups: dict[GroupKey, Group] = {}
        self.bad_lines: list[str] = []
        self.bad = self.ungrouped = 0

    @property
    def calls(self) -> int:
        """All calls that were looked at."""
        return sum(self.totals.values())

    def add(self, key: GroupKey, time: str, decision_id: str) -> None:
        """One more call."""
        self.totals[key.change] += 1
        if key.change is Change.UNCHANGED:
            return
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= MAX_GROUPS:
                self.ungrouped += 1
                return
            group = self.groups[key] = Group(0, time, time)
        group.add(time, decision_id)

    def of(self, *changes: Change) -> Iterator[tuple[GroupKey, Group]]:
        """The groups of these changes, the largest first."""
        found = [(key, group) for key, group in self.groups.items() if key.change in changes]
        yield from sorted(found, key=lambda pair: (-pair[1].calls, pair[0].what, str(pair[0].subject)))

    def data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "policy_revision": self.revision,
            "calls": self.calls,
            **{each.value: self.totals[each] for each in Change},
            "groups": [key._asdict() | asdict(group) for key, group in self.of(*Change)],
            "calls_in_no_group": self.ungrouped,
            "bad_lines": self.bad,
        }


def what(record: Mapping[str, Any]) -> str:
    """What was called, in a word."""
    operation = record.get("operation")
    return str(operation) if operation else f"{record.get('method')} {record.get('path')}"
