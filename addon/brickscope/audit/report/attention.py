"""What a reviewer should look at first: drawn from all parts of the report, each with the section that has the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from brickscope.core.reason import Kind

from .text import counted, listed, number, share, shown

if TYPE_CHECKING:
    from .data import Report

Weight = Literal["serious", "look", "note"]
_NAMED = 4


@dataclass(frozen=True)
class Point:
    """``section``: the id of the part of the page that says more."""

    weight: Weight
    text: str
    section: str


def find_points(report: Report) -> list[Point]:
    """The points of a report, the serious ones first."""
    found = [
        *_of_log(report),
        *_of_denials(report),
        *_of_changes(report),
        *_of_presence(report),
        *_of_calls(report),
    ]
    order = ("serious", "look", "note")
    return sorted(found, key=lambda point: order.index(point.weight))


def _names(names: list[str]) -> str:
    """Some names, and how many more there are."""
    some = [shown(name, 60) for name in names[:_NAMED]]
    return listed(some if len(names) <= _NAMED else [*some, f"{number(len(names) - _NAMED)} more"])


def _of_log(report: Report) -> Iterator[Point]:
    integrity = report.integrity
    if integrity.status == "damaged":
        yield Point("serious", integrity.sentence, "integrity")
    if integrity.unreadable:
        lines = counted(integrity.unreadable, "line")
        yield Point(
            "serious", f"{lines} of the log could not be read; what they held is missing here.", "integrity"
        )
    damaged = [place.file for place in integrity.faults if place.kind == "damaged"]
    if damaged:
        yield Point(
            "serious",
            f"{counted(len(damaged), 'file')} could be read in part only: {_names(damaged)}.",
            "integrity",
        )
    gaps = report.changes.gaps
    if gaps.total:
        titles = list(dict.fromkeys(gap.title.lower() for gap in gaps))
        yield Point(
            "serious", f"The log itself names {counted(gaps.total, 'gap')}: {_names(titles)}.", "integrity"
        )
    if integrity.status in ("unchecked", "unsigned"):
        yield Point("look", integrity.sentence, "integrity")
    unstopped = [run for run in report.changes.runs if not run.stopped][:-1]
    if unstopped:
        runs = counted(len(unstopped), "run")
        yield Point(
            "note", f"{runs} of the proxy ended without a stop record: killed, or still running.", "changes"
        )


def _of_denials(report: Report) -> Iterator[Point]:
    by_kind: dict[Kind | None, int] = {}
    for reason in report.reasons:
        by_kind[reason.kind] = by_kind.get(reason.kind, 0) + reason.calls
    if by_kind.get(Kind.INTERNAL):
        calls = counted(by_kind[Kind.INTERNAL], "call")
        yield Point("serious", f"{calls} denied because something failed inside the proxy.", "denied")
    strangers = by_kind.get(Kind.SUBJECT, 0)
    if strangers:
        calls = counted(strangers, "call")
        yield Point("look", f"{calls} with a credential that the policy does not know, or none.", "presence")
    if by_kind.get(Kind.READING):
        calls = counted(by_kind[Kind.READING], "call")
        yield Point(
            "look",
            f"{calls} denied for having no regular reading: a broken client, or an attempt to get round the rules.",
            "denied",
        )
    if report.counts.sent:
        calls = counted(report.counts.sent, "call")
        yield Point("look", f"{calls} denied by the policy and sent all the same, in monitor mode.", "denied")


def _of_changes(report: Report) -> Iterator[Point]:
    changes = report.changes
    if changes.monitored:
        names = _names(list(changes.monitored))
        yield Point("look", f"Denials ceased to be enforced for {names}.", "changes")
    if changes.failed_reloads:
        edits = counted(changes.failed_reloads, "policy edit")
        yield Point("note", f"{edits} did not load and changed nothing.", "changes")
    permissions = report.permissions
    if permissions is None:
        return
    errors = [each for each in permissions.findings if each.severity == "error" and each.accepted is None]
    if errors:
        found = counted(len(errors), "error")
        about = _names(list(dict.fromkeys(each.rule_set or each.subject or "the policy" for each in errors)))
        yield Point("look", f"brickscope check finds {found} in the policy, about {about}.", "permissions")
    if not permissions.in_force:
        when = "only earlier in the period" if permissions.seen else "never in the period"
        yield Point(
            "look",
            f"The policy given here (revision {permissions.revision}) is not what was in force at the end: {when}.",
            "permissions",
        )
    expired = [each.name for each in permissions.expiring if each.state == "expired"]
    soon = [each.name for each in permissions.expiring if each.state == "expires soon"]
    if expired:
        yield Point("note", f"Expired, and still in the policy: {_names(expired)}.", "permissions")
    if soon:
        yield Point("note", f"Expires within 30 days of the period's end: {_names(soon)}.", "permissions")


def _of_presence(report: Report) -> Iterator[Point]:
    presence = report.presence
    if presence.new_credentials:
        new = [each.subject for each in presence.credentials if each.new]
        yield Point(
            "look",
            f"{counted(presence.new_credentials, 'new token')}, of {_names(list(dict.fromkeys(new)))}.",
            "presence",
        )
    if presence.new_clients:
        new = [each.subject for each in presence.clients if each.new]
        addresses = counted(presence.new_clients, "new client address", "new client addresses")
        yield Point("look", f"{addresses}, of {_names(list(dict.fromkeys(new)))}.", "clients")
    if presence.stale.total:
        names = _names([each.subject for each in presence.stale])
        yield Point(
            "note",
            f"{counted(presence.stale.total, 'subject')} without a call in {counted(report.stale_days, 'day')}: {names}.",
            "presence",
        )


def _of_calls(report: Report) -> Iterator[Point]:
    secret = [
        each for each in report.operations if each.kind == "secret" and each.counts.allowed + each.counts.sent
    ]
    granting = [
        each for each in report.operations if each.kind == "grant" and each.counts.allowed + each.counts.sent
    ]
    for operations, what in (
        (secret, "return or make credentials"),
        (granting, "change who may act or from where"),
    ):
        if operations:
            calls = counted(sum(each.counts.allowed + each.counts.sent for each in operations), "call")
            yield Point(
                "look",
                f"{calls} sent that {what}: {_names([each.name or '' for each in operations])}.",
                "operations",
            )
    outcomes = report.outcomes
    if outcomes.broken:
        of_all = share(outcomes.broken, outcomes.ended)
        text = f"{counted(outcomes.broken, 'call')} broke on the way ({of_all} of those that ended)."
        yield Point("note", text, "outcomes")
    if report.connections.failed_handshakes:
        times = counted(report.connections.failed_handshakes, "TLS handshake")
        yield Point(
            "note",
            f"{times} failed: clients that do not trust the proxy, or servers it does not.",
            "connections",
        )
