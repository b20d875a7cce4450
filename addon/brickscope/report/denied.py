"""What was denied, and why."""

import json
from collections.abc import Iterator
from typing import Any

from brickscope.analysis.denials import POWERFUL, Denials
from brickscope.core.reason import Kind, Reason

from .block import Cell, Point, Section, Table, Text
from .calls import GRAVE, doing
from .counts import Given, change
from .text import counted, names, shown

_KINDS = {
    Kind.ALLOW: "Allowed.",
    Kind.POLICY: "Not allowed by the policy.",
    Kind.SUBJECT: "Caller unknown to the policy.",
    Kind.READING: "No regular reading.",
    Kind.FORBIDDEN: "Never allowed.",
    Kind.PLACEHOLDER: "Placeholder not exchanged.",
    Kind.DESTINATION: "Destination not allowed.",
    Kind.INTERNAL: "Failed inside the proxy.",
}
_POWERS = {**GRAVE, "execute": "run{s} code, SQL or compute"}
MOST_VALUES = 8


def denied_section(given: Given) -> Section:
    """The reasons, the calls in the order of ``denials.rank``, and which of them to look at first."""
    reasons = given.counts.table("reasons")
    calls: dict[Kind | None, int] = {}
    known = [Reason.__members__.get((row[0] or "").upper()) for row in reasons.rows]
    for reason, (_, denied, sent, *_) in zip(known, reasons.rows, strict=True):
        kind = None if reason is None else reason.kind
        calls[kind] = calls.get(kind, 0) + int(denied + sent)
    return Section(
        "denied",
        "What was denied",
        "What was denied, and why",
        (
            Text(
                "What no rule allows is denied. In monitor mode a denial by the rules is logged, and the call is sent."
            ),
            Table.written("denials", map(_group, given.denials.groups), given.denials.total),
            change(reasons, "What it means", map(_meaning, known)),
        ),
        (*_power_points(given.denials.groups), *_kind_points(given, calls)),
    )


def _meaning(reason: Reason | None) -> Cell:
    if reason is None:
        return Cell("This version of Brickscope does not know this reason.")
    return Cell(reason.sentence, (_KINDS[reason.kind],))


def _group(group: Denials) -> tuple[Any, ...]:
    remedy = group.remedy
    values = describe_params(group.params)
    return (
        Cell(group.subject, () if group.subject or not group.caller else (group.caller,)),
        Cell(group.what, (values,) if values else (), badge=group.kind),
        Cell(group.reason, (group.detail or "–",)),
        group.calls,
        group.sent,
        Cell(
            remedy.yaml or "",
            (
                *([f"in {': '.join(remedy.place)}"] if remedy.yaml else []),
                *([remedy.note] if remedy.note else []),
            ),
        ),
        group.first_seen,
        group.last_seen,
        group.example,
    )


def _power_points(groups: list[Denials]) -> Iterator[Point]:
    """Who was denied what is powerful, caller by caller: a job that was denied 54 tokens comes before all counts."""
    for kind in POWERFUL:
        callers: dict[str, list[Denials]] = {}
        for group in groups:
            if group.kind == kind:
                callers.setdefault(group.caller, []).append(group)
        who = [f"{shown(name, 60)} {_tried(tried)}" for name, tried in callers.items()]
        if who:
            found = [group for each in callers.values() for group in each]
            calls, sent = sum(each.calls for each in found), sum(each.sent for each in found)
            went_on = f", {sent:,} of them sent in monitor mode" if sent else ""
            did = doing(_POWERS[kind], calls)
            text = f"{counted(calls, 'denied call')} that {did}{went_on}: {names(who, clip=200)}."
            yield Point("serious", text)


def _tried(groups: list[Denials]) -> str:
    return f"{sum(group.calls for group in groups):,} ({names(group.what for group in groups)})"


def _kind_points(given: Given, calls: dict[Kind | None, int]) -> Iterator[Point]:
    if calls.get(Kind.INTERNAL):
        said = counted(calls[Kind.INTERNAL], "call")
        yield Point("serious", f"{said} denied because something failed inside the proxy.")
    if calls.get(Kind.SUBJECT):
        said = counted(calls[Kind.SUBJECT], "call")
        yield Point("look", f"{said} with a credential that the policy does not know, or none.")
    # Our own doctor names two workspaces, to be denied by the proxy.
    odd = calls.get(Kind.READING, 0) - sum(group.calls for group in given.denials.groups if group.probe)
    if odd > 0:
        text = "denied for having no regular reading: a broken client, or an attempt to bypass the rules."
        yield Point("look", f"{counted(odd, 'call')} {text}")
    ((sent,),) = given.counts.ask("SELECT sum(sent) FROM by_kind WHERE event = 'decision'")
    if sent:
        yield Point(
            "look",
            f"{counted(int(sent), 'call')} denied by the policy and sent anyway, in monitor mode.",
        )


def describe_params(params: list[Any]) -> str:
    """The parameters of denied calls on one line: ``job_id = 1044 or 1045``."""
    values: dict[str, dict[str, None]] = {}
    for each in params:
        for name, value in each.items() if isinstance(each, dict) else ():
            values.setdefault(str(name), {})[json.dumps(value, ensure_ascii=False)] = None
    return "; ".join(
        f"{name} = {' or '.join(list(said)[:MOST_VALUES])}{' …' if len(said) > MOST_VALUES else ''}"
        for name, said in values.items()
    )
