"""Rule sets: the lines of an allowlist, parsed; what can never allow anything is an error."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from brickscope.core.operation import OperationRule, OperationRules
from brickscope.core.policy import Mode, RuleSet
from brickscope.core.rule import Rule, RuleTable, parse_rule
from brickscope.core.template import TemplateError

from .document import Document, Path
from .entry import Entry, Findings
from .meant import is_known, like, meant, name_meant
from .model import RuleEntry
from .operations import BY_GRANTS, FOR_GRANTS, expand, is_name, one_line
from .problem import Position
from .written import WrittenRule

MOST_UNKNOWN = 20
"""Most rules that are warned of because no known call matches them: finding the nearest takes a moment for each.
``brickscope check`` names all (BS110)."""
_FOREIGN = re.compile(r"[<\[(]|/:")
_NOTHING = "matches no call that the catalogue knows"


class Parsed(NamedTuple):
    """One list of a rule set: rules by path with their places, rules by operation, and the entries as written."""

    paths: list[tuple[Position, Rule]]
    operations: list[tuple[Position, OperationRule]]
    written: list[WrittenRule]


def compile_rule_set(name: str, entry: Entry, findings: Findings) -> tuple[RuleSet, list[WrittenRule]]:
    """The rule set of an entry, and its rules as written; what is wrong with them goes to ``findings``."""
    document, path, value = entry
    denied = parse_rules(document, (*path, "deny"), value.deny, findings)
    _refuse_only(document, denied, findings)
    allowed = parse_rules(document, (*path, "allow"), value.allow, findings)
    table = RuleTable([rule for _, rule in denied.paths])
    if denied.paths:
        lines = {id(rule): place.line for place, rule in denied.paths}
        for place, rule in allowed.paths:
            if wider := table.covers(rule):
                _refuse_denied(document, place, rule.text, wider.text, lines[id(wider)], findings)
    _find_denied_operations(document, allowed, denied, findings)
    rule_set = RuleSet(
        name,
        RuleTable([rule for _, rule in allowed.paths]),
        table,
        Mode(value.mode) if value.mode else None,
        _by_operation(allowed),
        _by_operation(denied),
        value.contact,
    )
    return rule_set, [*allowed.written, *denied.written]


def _by_operation(parsed: Parsed) -> dict[str, OperationRules]:
    """Rules by operation, those without constraints first: one of them settles it without a look at parameters."""
    found: dict[str, list[OperationRule]] = {}
    for _, rule in parsed.operations:
        found.setdefault(rule.operation, []).append(rule)
    return {
        name: OperationRules(sorted(rules, key=lambda rule: rule.is_bound)) for name, rules in found.items()
    }


def _find_denied_operations(document: Document, allowed: Parsed, denied: Parsed, findings: Findings) -> None:
    """An operation that is allowed by its own name and denied without a condition is a slip."""
    lines = {rule.operation: (place, rule) for place, rule in denied.operations if not rule.is_bound}
    for place, rule in allowed.operations:
        if rule.operation in lines and rule.text == rule.operation:
            other, wider = lines[rule.operation]
            _refuse_denied(document, place, rule.text, wider.text, other.line, findings)


def _refuse_denied(
    document: Document, place: Position, text: str, wider: str, line: int, findings: Findings
) -> None:
    message = f"the rule {text!r} can never allow anything: {wider!r} under deny overrides it"
    findings.error(document, place, message, f"delete it, or the one on line {line}")


def _refuse_only(document: Document, denied: Parsed, findings: Findings) -> None:
    """Under deny, ``only`` would let a call escape by one parameter more."""
    for place, rule in denied.operations:
        if rule.only is not None or any(each.test.only is not None for each in rule.where):
            message = "only can't be used under deny: a call could evade it with one more parameter"
            findings.error(document, place, message, "deny the operation, or allow it with only")


def parse_rules(document: Document, path: Path, written: Sequence[Any], findings: Findings) -> Parsed:
    """The rules of one list, each with its place. ``path``: where the list stands (``rule_sets``, name, part)."""
    parsed = Parsed([], [], [])
    owner, part = str(path[-2]), str(path[-1])
    for index, each in enumerate(written):
        place = document.position((*path, index))
        if isinstance(each, str) and not is_name(each):
            rule = _parse_path(document, place, each, findings)
            if rule is not None:
                rule = rule._replace(entry=index)
                if rule.method != "GET" and f"{rule.template}/".lower().startswith("/oidc/"):
                    findings.error(document, place, BY_GRANTS, FOR_GRANTS)
                _warn_of_unknown(document, place, rule, findings)
                parsed.paths.append((place, rule))
                parsed.written.append(WrittenRule(owner, part, place, each, (rule,)))
        elif isinstance(each, str | RuleEntry):

            def fail(message: str, hint: str, way: Path, entry: Path = (*path, index)) -> None:
                findings.error(document, document.key_position((*entry, *way)), message, hint)

            named = expand(each, fail, denies=part == "deny")
            paths = tuple(parse_rule(text)._replace(entry=index) for text in named.paths)
            rules = tuple(rule._replace(entry=index) for rule in named.rules)
            parsed.operations.extend((place, rule) for rule in rules)
            parsed.paths.extend((place, rule) for rule in paths)
            parsed.written.append(WrittenRule(owner, part, place, one_line(each), paths, rules))
    return parsed


def _parse_path(document: Document, place: Position, text: str, findings: Findings) -> Rule | None:
    try:
        return parse_rule(text)
    except TemplateError as error:
        line = document.lines[place.line - 1] if 0 < place.line <= len(document.lines) else ""
        quote = 1 if line[place.column - 1 : place.column] in ("'", '"') else 0
        at = place._replace(column=place.column + error.offset + quote)
        proposed = name_meant(text) or meant(text)
        findings.error(document, at, str(error), f"write {proposed}" if proposed else error.hint)
        return None


def _warn_of_unknown(document: Document, place: Position, rule: Rule, findings: Findings) -> None:
    """A rule that no known call matches is a slip, or names a call that is newer than the catalogue; and nobody means a
    name such as ``<job_id>``."""
    known = is_known(rule)
    if known and not _FOREIGN.search(rule.text):
        return
    proposed = meant(rule.text)
    other = proposed != rule.text and proposed and is_known(parse_rule(proposed.split(" and ")[0]))
    if other:
        wrong = f"the rule {rule.text!r} is compared letter by letter" if known else _nothing(rule)
        findings.warn(document, place, wrong, f"write {proposed}")
    elif not known and sum(_NOTHING in problem.message for problem in findings.problems) < MOST_UNKNOWN:
        findings.warn(document, place, _nothing(rule), like(rule.text))


def _nothing(rule: Rule) -> str:
    return f"the rule {rule.text!r} {_NOTHING}"
