"""Rule sets: the lines of an allowlist, parsed, and held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brickscope.core.policy import Mode, RuleSet
from brickscope.core.rule import Rule, RuleTable, parse_rule
from brickscope.core.template import TemplateError

from .document import Document, Path
from .entry import Entry, Findings
from .problem import Position


def compile_rule_set(name: str, entry: Entry, findings: Findings) -> RuleSet:
    """The rule set of an entry; what is wrong with its rules goes to ``findings``."""
    document, path, value = entry
    deny = parse_rules(document, (*path, "deny"), value.deny, findings)
    allow = parse_rules(document, (*path, "allow"), value.allow, findings)
    denied = RuleTable([rule for _, rule in deny])
    _find_overlaps(document, deny, "deny", findings)
    _find_overlaps(document, allow, "allow", findings)
    if deny:
        lines = {id(rule): place.line for place, rule in deny}
        for place, rule in allow:
            if wider := denied.covers(rule):
                findings.error(
                    document,
                    place,
                    f"the rule {rule.text!r} can never allow anything: {wider.text!r} under deny wins",
                    f"delete it, or the one on line {lines[id(wider)]}",
                )
    return RuleSet(
        name, RuleTable([rule for _, rule in allow]), denied, Mode(value.mode) if value.mode else None
    )


def parse_rules(
    document: Document, path: Path, texts: Sequence[Any], findings: Findings
) -> list[tuple[Position, Rule]]:
    """The rules of one list, each with its place."""
    rules: list[tuple[Position, Rule]] = []
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            continue  # a problem already, by the model
        place = document.position((*path, index))
        try:
            rules.append((place, parse_rule(text)))
        except TemplateError as error:
            line = document.lines[place.line - 1] if 0 < place.line <= len(document.lines) else ""
            quote = 1 if line[place.column - 1 : place.column] in ("'", '"') else 0
            at = place._replace(column=place.column + error.offset + quote)
            if "/" not in text and "." in text:
                findings.error(
                    document,
                    place,
                    f"{text!r} names an operation; this version knows paths only",
                    "METHOD /path",
                )
            else:
                findings.error(document, at, str(error), error.hint)
    return rules


def _find_overlaps(
    document: Document, rules: list[tuple[Position, Rule]], key: str, findings: Findings
) -> None:
    """Warn of rules that another rule of the same list makes superfluous."""
    seen: dict[tuple[str, str], Position] = {}
    broad = RuleTable([rule for _, rule in rules if "{" in rule.text])
    lines = {id(rule): place.line for place, rule in rules}
    for place, rule in rules:
        shape = (rule.method, str(rule.template))
        if shape in seen:
            findings.warn(
                document,
                place,
                f"the rule {rule.text!r} stands there already, on line {seen[shape].line}",
            )
            continue
        seen[shape] = place
        wider = broad.covers(rule, besides=rule)
        if wider is not None:
            findings.warn(
                document,
                place,
                f"the rule {rule.text!r} is part of {wider.text!r} under {key} already, "
                f"on line {lines[id(wider)]}",
            )
