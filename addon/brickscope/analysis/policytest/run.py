"""Running cells: the proxy's decision on each, held against what is expected."""

from __future__ import annotations

from typing import NamedTuple

from brickscope.analysis.explanation import explain
from brickscope.analysis.judge import judge
from brickscope.analysis.shown import place
from brickscope.core.decision import Decision
from brickscope.log.record import printable
from brickscope.policy.load import Loaded
from brickscope.policy.written import WrittenRule

from .suite import Cell


class Result(NamedTuple):
    """What became of one cell. ``rule``: the one that decided. ``wrong``: what is not as expected, in sentences."""

    cell: Cell
    loaded: Loaded
    decision: Decision
    rule: WrittenRule | None
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.wrong


def run_cell(cell: Cell, loaded: Loaded) -> Result:
    """Judge one cell."""
    decision = judge(loaded.policy, cell.who, cell.call, cell.now, cell.client)
    rule = loaded.written.decided(decision)
    return Result(cell, loaded, decision, rule, tuple(_wrong(cell, decision, rule)))


def _wrong(cell: Cell, decision: Decision, rule: WrittenRule | None) -> list[str]:
    expected, wrong = cell.expected, []
    if decision.allow is not expected.allow:
        why = "" if expected.listed else " (it is not listed, so it must be denied)"
        wrong.append(f"expected {_verdict(expected.allow)}{why}, got {_verdict(decision.allow)}")
    if expected.reason is not None and decision.reason.value != expected.reason:
        wrong.append(f"expected the reason {expected.reason}, got {decision.reason.value}")
    if expected.rule is not None:
        names = {decision.rule, None if rule is None else rule.text}
        if expected.rule not in names:
            wrong.append(f"expected the rule {printable(expected.rule)!r}, got {decision.rule or 'none'!r}")
    if expected.enforced is not None and decision.enforced is not expected.enforced:
        words = {True: "enforced", False: "not enforced"}
        wrong.append(f"expected it {words[expected.enforced]}, and it is {words[decision.enforced]}")
    if expected.mode is not None and decision.mode != expected.mode:
        wrong.append(f"expected the mode {expected.mode}, got {decision.mode}")
    return wrong


def _verdict(allow: bool) -> str:
    return "allow" if allow else "deny"


def failure_lines(result: Result) -> list[str]:
    """What a failed cell needs to be understood: expected, got, why, and the nearest rule."""
    cell, decision = result.cell, result.decision
    lines = [*result.wrong, f"call     {cell.call.text}"]
    lines.append(f"reason   {decision.reason.value}: {printable(decision.detail)}")
    if result.rule is not None:
        lines.append(f"rule     {result.rule.text}  ({place(result.rule.position)})")
    elif cell.expected.allow:
        for near in explain(result.loaded, cell.who, cell.call, cell.now, cell.client).near[:1]:
            lines.append(f"nearest  {near.rule.text}  ({place(near.rule.position)})")
            lines += [f"         {why}" for why in near.why]
    return lines
