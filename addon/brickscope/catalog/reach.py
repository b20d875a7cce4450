"""What a rule set reaches: the operations that it allows, at least for some of their objects."""

from __future__ import annotations

from collections.abc import Mapping

from brickscope.core.policy import RuleSet
from brickscope.core.rule import Rule
from brickscope.core.template import Literal

from .catalog import call_rules, load_catalog, operation_table


def reach(rule_set: RuleSet) -> Mapping[str, str]:
    """The operations that a rule set allows, each with the rule (or rules, if each has conditions) by which it does.

    An operation counts if any of its calls may pass, with whatever parameters; one that a deny rule takes away whole does
    not. What a subject's bindings and mode add is not looked at, nor calls that the catalogue does not know. A path rule
    that is both wider and narrower than a call (``/{any}/7`` and ``/jobs/{id}``) is not seen to meet it.
    """
    operations, table = load_catalog().operations, operation_table()
    # A path rule may be wider than an operation, or narrower (for one object): then it lies within the operation's call.
    within = {found.text: rule.text for rule in rule_set.allow.rules if (found := table.covers(rule))}
    reached = {}
    for name, operation in operations.items():
        if any(not rule.is_bound for rule in rule_set.denied_operations.get(name, ())):
            continue
        calls = [call for call in call_rules(operation) if rule_set.deny.covers(call) is None]
        if not calls:
            continue
        named = rule_set.operations.get(name, ())
        if named:
            # The first settles it if it has no conditions; otherwise each may.
            reached[name] = named[0].text if not named[0].is_bound else "; ".join(rule.text for rule in named)
            continue
        wider = (rule_set.allow.match(call.method, _sample(call)) for call in calls)
        rule = next(filter(None, wider), None)
        if rule is not None:
            reached[name] = rule.text
        elif name in within:
            reached[name] = within[name]
    return reached


def _sample(call: Rule) -> list[str]:
    """The segments of a path that a call matches, with names that no literal has."""
    return [
        segment.text if isinstance(segment, Literal) else f"~:{segment.verb}" if segment.verb else "~"
        for segment in call.template.segments
    ]
