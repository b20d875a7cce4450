"""Limits that hold less, or more, than they seem to: of text that is a program or JSON (BS113), and of a parameter for which
others can stand in (BS114)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from brickscope.analysis.example import meeting
from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import Constraint
from brickscope.core.operation import OperationRule
from brickscope.policy.written import WrittenRule

from .breadth import some
from .code import codes
from .finding import Finding, Proof
from .proof import Prover
from .survey import RuleSetView

# What a text of a kind can hold beside what a rule compares: behind it (where a rule allows its beginning), and before or
# around it (where a rule denies it).
_MORE: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "lines": (lambda text: f"{text} 1; DROP TABLE main.sales.orders", lambda text: f"/* */ {text}"),
    "json_text": (lambda text: f'{text}, "other": 1}}', lambda text: f"{text[:1]} {text[1:]}"),
    "pip_line": (
        lambda text: f"{text}-other",
        lambda text: f"-r {text}" if text.startswith("/") else f"{text}>=0",
    ),
}
_WHAT = {
    "lines": "a program or prose",
    "json_text": "JSON",
    "pip_line": "a line of requirements",
}


def weak_limits(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    for written in (*view.allow, *view.deny):
        seen: set[str] = set()
        for rule in written.operations:
            for constraint in rule.where:
                for found in (
                    _text(view, prover, written, rule, constraint),
                    _others(view, written, constraint),
                ):
                    if found is not None and f"{found.code} {constraint.name}" not in seen:
                        seen.add(f"{found.code} {constraint.name}")
                        yield found


def _text(
    view: RuleSetView, prover: Prover, written: WrittenRule, rule: OperationRule, constraint: Constraint
) -> Finding | None:
    """BS113: a call is allowed although its text has what the limit should keep out, beside what it compares."""
    operation = load_catalog().operations[rule.operation]
    kind = (operation.type_of(constraint.keys) or "").strip("[]")
    test = constraint.test
    if kind not in _MORE or test.absent or test.only is not None:
        return None
    text = test.prefix[0].rstrip() if test.prefix else str((*meeting(constraint), "")[0])
    denies = written.part == "deny"
    changes = {constraint.name: _MORE[kind][denies](text)}
    ways = (None, *view.rule_set.operations.get(rule.operation, ())) if denies else (rule,)
    for way in ways:
        for call in prover.variations(operation, way, changes):
            decision = prover.judged(call)
            proof = prover.shown(call, decision) if decision.operation == operation.name else None
            if proof is not None and (denies or decision.rule == rule.text):
                what = f"{constraint.name} is {_WHAT[kind]}, in which more may stand than the rule compares"
                return _finding("BS113", view, written, f"{written.text}: {what}", operation.name, proof)
    return None


def _others(view: RuleSetView, written: WrittenRule, constraint: Constraint) -> Finding | None:
    """BS114: what else a call may not have, or is denied for."""
    test = constraint.test
    names = set(constraint.stand_ins)
    if test.absent or test.optional:
        names |= constraint.alternatives
    if not names:
        return None
    others = some(sorted(".".join(name) for name in names))
    if written.part == "deny":
        text = f"also denies calls that have, in place of {constraint.name}, {others}"
    else:
        text = f"allows no call that has, beside or in place of {constraint.name}, {others}"
    return _finding("BS114", view, written, f"{written.text} {text}")


def _finding(
    code: str,
    view: RuleSetView,
    written: WrittenRule,
    text: str,
    operation: str = "",
    proof: Proof | None = None,
) -> Finding:
    return Finding(
        code,
        codes()[code].severity,
        text,
        written.position,
        rule_set=view.name,
        subjects=view.subjects,
        operations=(operation,) if operation else (),
        proofs=() if proof is None else (proof,),
    )
