"""Objects that a rule does not name as the API does: a path in another case, a prefix that ends within a name (BS115); names
that a path rule does not take (BS116)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from brickscope.analysis.overlap import without_mirror
from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import Constraint
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule
from brickscope.core.template import Literal, Variable
from brickscope.policy.written import WrittenRule

from .alignment import calls, reach
from .breadth import some
from .code import codes
from .finding import Finding, Proof
from .proof import Prover
from .survey import RuleSetView

_ROOTS = ("Workspace", "Users", "Shared", "Repos", "Volumes", "FileStore")
"""The folders at the top of the trees of files that every workspace has, as it spells them."""
_BY_CASE = {root.casefold(): root for root in _ROOTS}


def misnamed(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    for written in (*view.allow, *view.deny):
        found = (
            finding
            for rule in written.operations
            for constraint in rule.where
            if constraint.test.kind.names
            for finding in (
                _root(view, written, constraint),
                None if written.part == "deny" else _within(view, prover, written, rule, constraint),
            )
        )
        yield from islice(filter(None, found), 1)
    narrow = [(written, names) for written in view.allow if (names := _one_segment(prover, written))]
    if narrow:
        first_rule, *others = [written for written, _ in narrow]
        operations = tuple(sorted({name for _, names in narrow for name in names}))
        yield Finding(
            "BS116",
            codes()["BS116"].severity,
            f"names with a '/', '?', '#', ';' or '%' in them are denied to {some(operations)}",
            first_rule.position,
            rule_set=view.name,
            subjects=view.subjects,
            operations=operations,
            related=tuple((each.position, each.text) for each in others),
        )


def _root(view: RuleSetView, written: WrittenRule, constraint: Constraint) -> Finding | None:
    """A path below a top folder that is spelt in another case: there is no such folder."""
    test = constraint.test
    if test.kind.separator != "/":
        return None
    fixed = ["/".join(_fixed(template.segments)) for template in test.pattern or ()]
    for text in (*map(str, sorted(test.one_of or (), key=str)), *(test.prefix or ()), *fixed):
        names = text.removeprefix("dbfs:").strip("/").split("/")
        top = names[1:2] if names[0] == "Workspace" else names[:1]
        for name in top:
            usual = _BY_CASE.get(name.casefold(), name)
            if usual != name:
                said = f"{constraint.text}, and case counts in a path: no tree has {name}, but {usual}"
                return _finding(view, written, f"{written.text}: {said}")
    return None


def _fixed(segments: tuple[object, ...]) -> Iterator[str]:
    for segment in segments:
        if not isinstance(segment, Literal):
            return
        yield segment.text


def _within(
    view: RuleSetView, prover: Prover, written: WrittenRule, rule: OperationRule, constraint: Constraint
) -> Finding | None:
    """A prefix that ends within a name allows other objects whose name begins so."""
    separator = constraint.test.kind.separator
    for prefix in constraint.test.prefix or ():
        name = prefix.rpartition(separator)[2] if separator else ""
        if not name or not name[-1].isalnum():
            continue
        if separator == "/" and prefix == f"/Workspace/{name}" and "Workspace".startswith(name):
            said = f"no folder at the top is called so; write {{prefix: /Workspace{separator}}} for all"
            return _finding(view, written, f"{written.text}: {said}")
        operation = load_catalog().operations[rule.operation]
        for call in prover.variations(operation, rule, {constraint.name: f"{prefix}2"}):
            decision = prover.judged(call)
            proof = prover.shown(call, decision)
            if proof is not None and decision.rule == rule.text:
                said = f"{constraint.name} may also be {prefix}2; end the prefix with {separator!r}"
                return _finding(view, written, f"{written.text}: {said}", operation.name, proof)
    return None


def _finding(
    view: RuleSetView, written: WrittenRule, text: str, operation: str = "", proof: Proof | None = None
) -> Finding:
    return Finding(
        "BS115",
        codes()["BS115"].severity,
        text,
        written.position,
        rule_set=view.name,
        subjects=view.subjects,
        operations=(operation,) if operation else (),
        proofs=() if proof is None else (proof,),
    )


def _one_segment(prover: Prover, written: WrittenRule) -> set[str]:
    """The operations of which a path rule, and all else that is allowed, takes names without separators only."""
    found = set()
    for path in written.paths:
        for each in reach(path):
            operation = each.operation
            name = _narrowed(path, calls(operation.name)[each.call]) if operation.encoded else ""
            if name and operation.name not in found:
                changes = dict(each.values) | {name: f"{each.values[name]}/x"}
                answers = map(prover.judged, prover.variations(operation, None, changes))
                if not any(answer.allow for answer in answers):
                    found.add(operation.name)
    return found


def _narrowed(path: Rule, call: Rule) -> str:
    """The variable of a call that may hold separators, and is one segment to a path rule; empty where there is none."""
    pairs = zip(without_mirror(path.template).segments, call.template.segments, strict=False)
    return next(
        (each.name for own, each in pairs if isinstance(own, Variable) and each.name in call.encoded), ""
    )
