"""Lints of what rules say of parameters: more may stand in a text, or in its place, or the object is named otherwise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import Constraint
from brickscope.core.operation import OperationRule
from brickscope.core.template import Literal
from brickscope.policy.written import WrittenRule

from ..check.code import of
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


@of("rule_set")
def limited_text(view: RuleSetView) -> Findings:
    """Limits that a call passes, allowed, with text that they should keep out; each parameter of a rule once."""
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


@of("rule_set")
def stand_in(view: RuleSetView) -> Findings:
    """What else a call may not have, or is denied for; each parameter of a rule once."""
    for written in (*view.allow, *view.deny):
        limits = {each.name: each for rule in written.operations for each in rule.where if _others(each)}
        yield from (_told(written, each) for each in limits.values())


def _others(constraint: Constraint) -> set[tuple[str, ...]]:
    test = constraint.test
    alternatives = constraint.alternatives if test.absent or test.optional else ()
    return {*constraint.stand_ins, *alternatives}


def _told(written: WrittenRule, constraint: Constraint) -> Found:
    others = listed(sorted(".".join(name) for name in _others(constraint)), MOST)
    if written.part == "deny":
        return Found.of(
            written, f"{written.text} also denies calls that have, in place of {constraint.name}, {others}"
        )
    return Found.of(
        written, f"{written.text} allows no call that has, beside or in place of {constraint.name}, {others}"
    )


_ROOTS = ("Workspace", "Users", "Shared", "Repos", "Volumes", "FileStore")
"""The folders at the top of the trees of files that every workspace has, as it spells them."""
_BY_CASE = {root.casefold(): root for root in _ROOTS}


@of("rule_set")
def misnamed_object(view: RuleSetView) -> Findings:
    """The first object of each rule that is named so."""
    for written in (*view.allow, *view.deny):
        found = (
            each
            for rule in written.operations
            for constraint in rule.where
            if constraint.test.kind.names
            for each in (_root(written, constraint), _within(view, written, rule, constraint))
        )
        first = next(filter(None, found), None)
        if first is not None:
            yield first


def _root(written: WrittenRule, constraint: Constraint) -> Found | None:
    """A path below a top folder that is spelt in another case: there is no such folder."""
    test = constraint.test
    if test.kind.separator != "/":
        return None
    fixed = [
        "/".join(each.text for each in takewhile(lambda each: isinstance(each, Literal), template.segments))  # type: ignore[union-attr]
        for template in test.pattern or ()
    ]
    for text in (*map(str, sorted(test.one_of or (), key=str)), *(test.prefix or ()), *fixed):
        names = text.removeprefix("dbfs:").strip("/").split("/")
        for name in names[1:2] if names[0] == "Workspace" else names[:1]:
            usual = _BY_CASE.get(name.casefold(), name)
            if usual != name:
                said = f"{constraint.text}, and case counts in a path: no tree has {name}, but {usual}"
                return Found.of(written, f"{written.text}: {said}")
    return None


def _within(
    view: RuleSetView, written: WrittenRule, rule: OperationRule, constraint: Constraint
) -> Found | None:
    """A prefix that ends within a name allows other objects whose name begins so."""
    separator = constraint.test.kind.separator
    for prefix in constraint.test.prefix or () if written.part == "allow" else ():
        name = prefix.rpartition(separator)[2] if separator else ""
        if not name or not name[-1].isalnum():
            continue
        if separator == "/" and prefix == f"/Workspace/{name}" and "Workspace".startswith(name):
            said = f"no folder at the top is called so; write {{prefix: /Workspace{separator}}} for all"
            return Found(written.position, f"{written.text}: {said}")
        operation = load_catalog().operations[rule.operation]
        for proof in view.prover.allowed(
            view.prover.variations(operation, rule, {constraint.name: f"{prefix}2"})
        ):
            if proof.entry == rule.entry:
                said = f"{constraint.name} may also be {prefix}2; end the prefix with {separator!r}"
                return Found.of(
                    written, f"{written.text}: {said}", operations=[operation.name], proofs=[proof]
                )
    return None
