"""An explanation as lines for people and as data for programs. All text of a client or log was made printable before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from brickscope.core.decision import Refused
from brickscope.core.reason import CHANGE
from brickscope.log.record import printable

from .explanation import Explanation
from .logged import Logged
from .reading import Judged
from .shown import moment, place, plain

_WIDTH = 11


def explanation_lines(said: Explanation, logged: Logged | None = None) -> list[str]:
    """One call, in lines."""
    decision = said.decision
    verdict = "allow" if decision.allow else "deny"
    lines = [f"{verdict}  {decision.reason.value}{_monitored(said)}", ""]
    lines += _field("call", [said.call.text])
    lines += _field("subject", [_who(said)])
    if decision.operation is not None:
        lines += _field("operation", [f"{decision.operation}{f', {said.about}' if said.about else ''}"])
    lines += _field("readings", map(_reading, said.readings))
    lines += _field(
        "object", [f"{each.name} {each.sent} is {' or '.join(each.objects)}" for each in said.objects]
    )
    lines += _field("reason", [decision.reason.sentence, printable(decision.detail)])
    if said.rule is not None:
        lines += _field("rule", [f"{place(said.rule.position)}  {said.rule.text}"])
    lines += _field("also by", [f"{place(rule.position)}  {rule.text}" for rule in said.also])
    lines += _field("otherwise", [printable(said.otherwise)] if said.otherwise else [])
    near = [
        line
        for each in said.near
        for line in (f"{place(each.rule.position)}  {each.rule.text}", *(f"  {why}" for why in each.why))
    ]
    lines += _field("nearest", near)
    if said.remedy is not None:
        lines += _field("to allow it", [said.remedy.text])
        lines += [f"    {line}" for line in said.remedy.whole.splitlines()]
        if said.remedy.note:
            lines += _field("mind", [said.remedy.note])
    if logged is not None:
        lines += _field("then", _then(said, logged))
        lines += _field("not told", logged.unknown)
    lines += _field("note", said.notes)
    return lines


def _reading(judged: Judged) -> str:
    """One reading in a line: what the rules say of it, how it comes about, and what it is."""
    decision = judged.decision
    verdict = "allow" if decision.allow else "covered" if judged.covered else "deny"
    what = decision.operation or "no known operation"
    why = decision.reason.value if decision.rule is None else f"by {decision.rule}"
    mark = "  <- decides" if judged.decided else ""
    return f"{verdict:7}  {judged.how}: {judged.target}  ({what}, {why}){mark}"


def _field(name: str, values: Iterable[str]) -> list[str]:
    return [f"{f'{name}:' if index == 0 else '':{_WIDTH + 2}}{value}" for index, value in enumerate(values)]


def _monitored(said: Explanation) -> str:
    return "  (monitor mode: it is sent anyway)" if said.decision.forwards and not said.decision.allow else ""


def _who(said: Explanation) -> str:
    decision = said.decision
    text = f"{said.who.name} ({said.who.kind})"
    if decision.rule_set is not None:
        text += f", rule set {decision.rule_set}"
    if said.where is not None:
        text += f", {place(said.where)}"
    return f"{text}, from {printable(said.client)} at {moment(said.now)}"


def _then(said: Explanation, logged: Logged) -> list[str]:
    """What was decided when the call was made, and whether it still would be."""
    record = logged.record
    now, then = said.decision, (record.get("decision"), record.get("reason"))
    lines = [
        f"{printable(str(then[0]))}  {printable(str(then[1]))}"
        f"{'' if record.get('enforced', True) else '  (monitor mode: it went on)'}",
        printable(str(record.get("detail"))),
    ]
    if record.get("rule"):
        lines.append(f"by the rule {printable(str(record['rule']))}")
    readings = record.get("readings")
    if isinstance(readings, list) and readings:
        lines.append(f"by the reading {printable(str(readings[0]))}, of {len(readings)}")
    same_policy = record.get("policy_revision") == now.policy_revision
    same = then == ("allow" if now.allow else "deny", now.reason.value)
    which = (
        "the same policy"
        if same_policy
        else f"another policy, revision {printable(str(record.get('policy_revision')))}"
    )
    lines.append(f"under {which}; {'the same is decided now' if same else 'the answer has changed since'}")
    return lines


def explanation_data(said: Explanation, logged: Logged | None = None) -> dict[str, Any]:
    """One call, as data."""
    decision = said.decision
    return {
        "decision": "allow" if decision.allow else "deny",
        "enforced": decision.enforced,
        "mode": decision.mode,
        "reason": decision.reason.value,
        "sentence": decision.reason.sentence,
        "detail": printable(decision.detail),
        "call": said.call.text,
        "subject": said.who.name,
        "kind": said.who.kind,
        "client_address": printable(said.client),
        "time": moment(said.now),
        "rule_set": decision.rule_set,
        "rule": decision.rule,
        "place": None if said.rule is None else place(said.rule.position),
        "operation": decision.operation,
        "about": said.about or None,
        "params": {name: plain(value) for name, value in decision.params.items()},
        "params_sent": {name: plain(value) for name, value in decision.sent.items()},
        "readings": [
            {
                "how": each.how,
                "target": each.target,
                "decision": "allow" if each.decision.allow else "deny",
                "reason": each.decision.reason.value,
                "detail": printable(each.decision.detail),
                "rule": each.decision.rule,
                "operation": each.decision.operation,
                "decided": each.decided,
                "covered": each.covered,
            }
            for each in said.readings
        ],
        "objects": [each._asdict() for each in said.objects],
        "flaw": _flaw(said),
        "policy_revision": decision.policy_revision,
        "also": [{"rule": rule.text, "place": place(rule.position)} for rule in said.also],
        "otherwise": printable(said.otherwise) or None,
        "nearest": [
            {"rule": each.rule.text, "place": place(each.rule.position), "why": list(each.why)}
            for each in said.near
        ],
        "remedy": said.remedy
        and {"text": said.remedy.text, "yaml": said.remedy.whole, "caution": said.remedy.note},
        "notes": list(said.notes),
        "logged": None if logged is None else _logged(logged),
    }


def _flaw(said: Explanation) -> dict[str, Any] | None:
    """Why no rule can allow the call, whatever the rules say; None where there is nothing."""
    request = said.call.request
    flaw = request if isinstance(request, Refused) else request.flaw
    if flaw is None:
        return None
    return {
        "reason": flaw.reason.value,
        "detail": printable(flaw.detail),
        "in_every_mode": isinstance(request, Refused),
        "change": CHANGE.get(flaw.reason),
    }


def _logged(logged: Logged) -> dict[str, Any]:
    keys = (
        "decision_id",
        "time",
        "decision",
        "enforced",
        "mode",
        "reason",
        "detail",
        "rule",
        "policy_revision",
        "params_sent",
        "readings",
    )
    record = {key: logged.record.get(key) for key in keys}
    return {
        **{key: printable(value) if isinstance(value, str) else value for key, value in record.items()},
        "unknown": list(logged.unknown),
    }
