"""Lints of rules that take in more than they name, and of paths that take less."""

from __future__ import annotations

from brickscope.catalog.catalog import CLASSES
from brickscope.core.rule import Rule
from brickscope.core.template import Variable
from brickscope.policy.written import WrittenRule

from ..check.code import of
from ..check.finding import Findings, Found, Severity, classed
from ..check.survey import RuleSetView
from ..reach import calls, reach, without_mirror
from ..shown import MOST, listed
from ..way import ways


@of("rule_set")
def wide_path(view: RuleSetView) -> Findings:
    """Path rules with ``{name...}`` that reach operations of several services."""
    for span in view.spans:
        if span.is_wide:
            found = view.prover.dangerous(span.ways)
            text = (
                f"{span.written.text} matches {len(span.names)} operations of {len(span.services)} services"
            )
            more = f"among them {classed(found)}" if found else listed(span.services, MOST)
            severity = Severity.ERROR if found else None
            yield Found.proved(span.written, f"{text}, {more}", found, severity)


@of("rule_set")
def hidden_operation(view: RuleSetView) -> Findings:
    """Path rules behind whose variables the API has words of its own."""
    for span in view.spans:
        if not span.is_wide and len(span.names) > 1:
            found = view.prover.dangerous(way for way in span.ways if way.reach and way.reach.hidden)
            if found:
                yield Found.proved(span.written, f"{span.written.text} also matches {classed(found)}", found)


@of("rule_set")
def class_of_all(view: RuleSetView) -> Findings:
    """Rules that are a class without a service, or a preset with one in it."""
    for written in view.allow:
        texts = {
            rule.text.rpartition(": ")[2] if written.is_preset else rule.text for rule in written.operations
        }
        kinds = [kind for kind in CLASSES if f"class {kind}" in texts]
        if kinds:
            mild = None if kinds == ["read"] else Severity.ERROR
            text = f"{written.text} means {len(written.operations)} operations, in every service"
            yield Found.of(written, text, severity=Severity.NOTE if written.is_preset else mild)


@of("rule_set")
def whole_service(view: RuleSetView) -> Findings:
    """Rules ``service.*``."""
    for written in view.allow:
        if written.text.endswith(".*") and not written.is_preset:
            found = view.prover.dangerous(ways([written]))
            if found:
                yield Found.proved(written, f"{written.text} includes {classed(found)}", found)


@of("rule_set")
def narrow_path(view: RuleSetView) -> Findings:
    """The path rules that take one segment where the API takes a name with separators; all of a rule set together."""
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
