"""Objects that are not named as the API names them (BS115), and path rules that do not take every name (BS116)."""

from itertools import takewhile

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import Constraint
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule
from brickscope.core.template import Literal, Variable
from brickscope.policy.written import WrittenRule

from ..check.finding import Findings, Found, Severity
from ..check.survey import RuleSetView
from ..reach import calls, reach, without_mirror
from ..shown import MOST, listed

_ROOTS = ("Workspace", "Users", "Shared", "Repos", "Volumes", "FileStore")
"""The folders at the top of the trees of files that every workspace has, as it spells them."""
_PROGRAMS = frozenset({"lines", "json_text"})
"""Kinds of text in which a star says something (``SELECT *``)."""
_BY_CASE = {root.casefold(): root for root in _ROOTS}


def misnamed_object(view: RuleSetView) -> Findings:
    """BS115: the first object of each rule that is named so."""
    for written in (*view.allow, *view.deny):
        found = (
            each
            for rule in written.operations
            for constraint in rule.where
            for each in (
                _wildcard(written, constraint),
                _root(written, constraint),
                _within(view, written, rule, constraint),
            )
        )
        first = next(filter(None, found), None)
        if first is not None:
            yield first


def _wildcard(written: WrittenRule, constraint: Constraint) -> Found | None:
    """A value as shells write all that begin so: under deny it denies nothing."""
    test = constraint.test
    for text in (*map(str, sorted(test.one_of or (), key=str)), *(test.prefix or ())):
        begin, sign, behind = text.partition("*")
        if (
            sign
            and not test.kind.covers
            and (test.kind.names or (not behind and test.kind.name not in _PROGRAMS))
        ):
            said = f"{constraint.text}, and * is no wildcard in a value; write {{prefix: {begin}}}"
            severity = Severity.ERROR if written.part == "deny" else None
            return Found.of(written, f"{written.text}: {said}", severity=severity)
    return None


def _root(written: WrittenRule, constraint: Constraint) -> Found | None:
    """A path below a top folder that is spelt in another case: there is no such folder."""
    test = constraint.test
    if test.kind.separator != "/" or not test.kind.names:
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
    separator = constraint.test.kind.separator if constraint.test.kind.names else ""
    for prefix in constraint.test.prefix or () if written.part == "allow" else ():
        name = prefix.rpartition(separator)[2] if separator else ""
        if not name or not name[-1].isalnum() or prefix == "/Workspace":  # the whole tree
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


def narrow_path(view: RuleSetView) -> Findings:
    """BS116: the path rules that take one segment where the API takes a name with separators; all of a rule set together."""
    narrow = {written: names for written in view.allow if (names := _narrowed(view, written))}
    if narrow:
        first, *others = narrow
        operations = sorted(set().union(*narrow.values()))
        text = f"names with a '/', '?', '#', ';' or '%' in them are denied to {listed(operations, MOST)}"
        yield Found.of(first, text, operations=operations, related=others)


def _narrowed(view: RuleSetView, written: WrittenRule) -> set[str]:
    """The operations of which a path rule, and all else that is allowed, takes names without separators only."""
    found = set()
    for path in written.paths:
        for each in reach(path):
            operation = each.operation
            name = _variable(path, calls(operation.name)[each.call]) if operation.encoded else ""
            if name and operation.name not in found:
                changes = dict(each.values) | {name: f"{each.values[name]}/x"}
                made = view.prover.variations(operation, None, changes)
                if not any(view.prover.judged(call).allow for call in made):
                    found.add(operation.name)
    return found


def _variable(path: Rule, call: Rule) -> str:
    """The variable of a call that may hold separators, and is one segment to a path rule; empty where there is none."""
    pairs = zip(without_mirror(path.template).segments, call.template.segments, strict=False)
    return next(
        (each.name for own, each in pairs if isinstance(own, Variable) and each.name in call.encoded), ""
    )
