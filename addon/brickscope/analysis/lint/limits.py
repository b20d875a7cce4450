"""Limits that hold less or more than they seem to: on text in which more may stand (BS113), on parameters for which others
can stand in (BS114)."""

from collections.abc import Callable

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import Constraint
from brickscope.core.operation import OperationRule
from brickscope.policy.written import WrittenRule

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..example import meeting
from ..shown import MOST, listed

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


def limited_text(view: RuleSetView) -> Findings:
    """BS113: limits that a call passes, allowed, with text that they should keep out; each parameter of a rule once."""
    for written in (*view.allow, *view.deny):
        seen: set[str] = set()
        for rule in written.operations:
            for constraint in rule.where:
                found = None if constraint.name in seen else _found(view, written, rule, constraint)
                if found is not None:
                    seen.add(constraint.name)
                    yield found


def _found(
    view: RuleSetView, written: WrittenRule, rule: OperationRule, constraint: Constraint
) -> Found | None:
    operation = load_catalog().operations[rule.operation]
    kind = (operation.type_of(constraint.keys) or "").strip("[]")
    test = constraint.test
    if kind not in _MORE or test.absent or test.only is not None:
        return None
    text = test.prefix[0].rstrip() if test.prefix else str((*meeting(constraint), "")[0])
    denies = written.part == "deny"
    changes = {constraint.name: _MORE[kind][denies](text)}
    for way in (None, *view.rule_set.operations.get(rule.operation, ())) if denies else (rule,):
        for proof in view.prover.allowed(view.prover.variations(operation, way, changes), operation.name):
            if denies or proof.entry == rule.entry:
                what = f"{constraint.name} is {_WHAT[kind]}, which may contain more than the rule compares"
                return Found.of(
                    written, f"{written.text}: {what}", operations=[operation.name], proofs=[proof]
                )
    return None


def stand_in(view: RuleSetView) -> Findings:
    """BS114: what else a call may not have, or is denied for; each parameter of a rule once."""
    for written in (*view.allow, *view.deny):
        limits = {each.name: each for rule in written.operations for each in rule.where if _others(each)}
        yield from (_instead(written, each) for each in limits.values())


def _others(constraint: Constraint) -> set[tuple[str, ...]]:
    test = constraint.test
    alternatives = constraint.alternatives if test.absent or test.optional else ()
    return {*constraint.stand_ins, *alternatives}


def _instead(written: WrittenRule, constraint: Constraint) -> Found:
    others = listed(sorted(".".join(name) for name in _others(constraint)), MOST)
    if written.part == "deny":
        return Found.of(
            written, f"{written.text} also denies calls that have, in place of {constraint.name}, {others}"
        )
    return Found.of(
        written, f"{written.text} allows no call that has, beside or in place of {constraint.name}, {others}"
    )
