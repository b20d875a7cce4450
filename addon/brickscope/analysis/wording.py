"""The tree of an explanation, as ``--json`` prints it. All text of a client or log is made printable here."""

from __future__ import annotations

from typing import Any

from brickscope.core.decision import Decision, Refused
from brickscope.core.reason import CHANGE
from brickscope.log.record import printable

from .explanation import Explanation
from .logged import Logged
from .shown import moment, place, plain, rule_data


def explanation_data(said: Explanation, logged: Logged | None = None) -> dict[str, Any]:
    """One call, as data."""
    decision = said.decision
    return {
        "decision": _verdict(decision),
        "enforced": decision.enforced,
        "mode": decision.mode,
        "reason": decision.reason.value,
        "sentence": decision.reason.sentence,
        "detail": printable(decision.detail),
        "call": said.call.text,
        "subject": said.who.name,
        "kind": said.who.kind,
        "subject_place": None if said.where is None else place(said.where),
        "client_address": printable(said.client),
        "time": moment(said.now),
        "rule_set": decision.rule_set,
        "rule": decision.rule,
        "written": None if said.rule is None else said.rule.text,
        "place": None if said.rule is None else place(said.rule.position),
        "operation": decision.operation,
        "about": said.about or None,
        "params": {name: plain(value) for name, value in decision.params.items()},
        "params_sent": {name: plain(value) for name, value in decision.sent.items()},
        "readings": [
            {
                "how": each.how,
                "target": each.target,
                "decision": _verdict(each.decision),
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
        "also": list(map(rule_data, said.also)),
        "otherwise": printable(said.otherwise) or None,
        "nearest": [{**rule_data(each.rule), "why": list(each.why)} for each in said.near],
        "remedy": said.remedy
        and {"text": said.remedy.text, "yaml": said.remedy.whole, "caution": said.remedy.note},
        "notes": list(said.notes),
        "logged": None if logged is None else _logged(said, logged),
    }


def _verdict(decision: Decision) -> str:
    return "allow" if decision.allow else "deny"


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


_OF_RECORD = (
    *("decision_id", "time", "decision", "enforced", "mode", "reason", "detail", "rule", "policy_revision"),
    *("params_sent", "readings"),
)


def _logged(said: Explanation, logged: Logged) -> dict[str, Any]:
    """What was decided when the call was made, and whether it still would be."""
    record, now = logged.record, said.decision
    return {
        **{key: _shown(record.get(key)) for key in _OF_RECORD},
        "same_policy": record.get("policy_revision") == now.policy_revision,
        "same_answer": (record.get("decision"), record.get("reason")) == (_verdict(now), now.reason.value),
        "unknown": list(logged.unknown),
    }


def _shown(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value
