"""Rules that do nothing, or not what they say: BS104 to BS108, BS110, BS111."""

from __future__ import annotations

from collections.abc import Iterator

from brickscope.policy.problem import Position
from brickscope.policy.written import WrittenRule

from .alignment import reach
from .allowance import Allowance
from .code import codes
from .condition import never
from .finding import Finding, Severity
from .survey import RuleSetView


def idle_rules(view: RuleSetView) -> Iterator[Finding]:
    """The findings about one rule set."""
    allowance = Allowance(view)
    if not view.holders:
        yield _finding("BS111", view, view.position, f"no subject has the rule set {view.name}")
    alive = False
    for written in view.allow:
        found = _empty(view, written) or _unmeetable(view, written) or _denied(view, written, allowance)
        alive = alive or found is None
        yield from filter(None, (found, _unknown(view, written)))
    for written in view.deny:
        found = _empty(view, written) or _unmeetable(view, written) or _needless(view, written, allowance)
        yield from filter(None, (found, _unknown(view, written)))
    if not alive:
        yield _finding("BS108", view, view.position, f"no rule of {view.name} allows anything")


def _empty(view: RuleSetView, written: WrittenRule) -> Finding | None:
    if written.paths or written.operations:
        return None
    return _finding("BS106", view, written.position, f"no operation is a {written.text}")


def _unmeetable(view: RuleSetView, written: WrittenRule) -> Finding | None:
    whys = never(written)
    if not whys:
        return None
    denies = written.part == "deny"
    text = f"no call can meet {written.text}, so it {'denies' if denies else 'allows'} nothing ({'; '.join(whys)})"
    found = _finding("BS107", view, written.position, text)
    return found._replace(severity=Severity.ERROR) if denies else found


def _denied(view: RuleSetView, written: WrittenRule, allowance: Allowance) -> Finding | None:
    named = all(allowance.is_denied(rule.operation) for rule in written.operations)
    if not named or not all(map(allowance.is_path_denied, written.paths)):
        return None
    return _finding("BS105", view, written.position, f"all that {written.text} allows is denied")


def _needless(view: RuleSetView, written: WrittenRule, allowance: Allowance) -> Finding | None:
    if allowance.denies_something(written):
        return None
    return _finding("BS104", view, written.position, f"nothing allows what {written.text} denies")


def _unknown(view: RuleSetView, written: WrittenRule) -> Finding | None:
    unknown = [path.text for path in written.paths if not reach(path)]
    if not unknown:
        return None
    return _finding("BS110", view, written.position, f"{unknown[0]} is no call that the catalogue knows")


def _finding(code: str, view: RuleSetView, position: Position, text: str) -> Finding:
    return Finding(code, codes()[code].severity, text, position, rule_set=view.name, subjects=view.subjects)
