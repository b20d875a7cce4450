"""Running cells: the proxy's decision on each, held against what is expected."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from brickscope.analysis.explanation import explain
from brickscope.analysis.judge import judge
from brickscope.analysis.shown import place, verdict
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

    def data(self) -> dict[str, Any]:
        """As plain data. ``failure``: what a failed cell needs to be understood, in lines."""
        cell, decision = self.cell, self.decision
        return {
            "file": cell.position.file,
            "name": cell.name,
            "place": place(cell.position),
            "subject": cell.who.name,
            "call": cell.call.text,
            "expected": verdict(cell.allow),
            "decision": verdict(decision.allow),
            "reason": decision.reason.value,
            "rule": decision.rule,
            "rule_place": None if self.rule is None else place(self.rule.position),
            "enforced": decision.enforced,
            "mode": decision.mode,
            "wrong": list(self.wrong),
            "failure": [] if self.passed else failure_lines(self),
        }


def run_cell(cell: Cell, loaded: Loaded) -> Result:
    """Judge one cell."""
    decision = judge(loaded.policy, cell.who, cell.call, cell.now, cell.client)
    rule = loaded.written.decided(decision)
    return Result(cell, loaded, decision, rule, tuple(_wrong(cell, decision, rule)))


def _wrong(cell: Cell, decision: Decision, rule: WrittenRule | None) -> Iterator[str]:
    if decision.allow is not cell.allow:
        why = "" if cell.listed else " (it is not listed, so it must be denied)"
        yield f"expected {verdict(cell.allow)}{why}, got {verdict(decision.allow)}"
    if cell.reason is not None and decision.reason.value != cell.reason:
        yield f"expected the reason {cell.reason}, got {decision.reason.value}"
    if cell.rule is not None and cell.rule not in {decision.rule, None if rule is None else rule.text}:
        yield f"expected the rule {printable(cell.rule)!r}, got {decision.rule or 'none'!r}"
    if cell.enforced is not None and decision.enforced is not cell.enforced:
        words = {True: "enforced", False: "not enforced"}
        yield f"expected it {words[cell.enforced]}, and it is {words[decision.enforced]}"
    if cell.mode is not None and decision.mode != cell.mode:
        yield f"expected the mode {cell.mode}, got {decision.mode}"


def failure_lines(result: Result) -> list[str]:
    """What a failed cell needs to be understood: expected, got, why, and the nearest rule."""
    cell, decision = result.cell, result.decision
    lines = [*result.wrong, f"call     {cell.call.text}"]
    lines.append(f"reason   {decision.reason.value}: {printable(decision.detail)}")
    if result.rule is not None:
        lines.append(f"rule     {result.rule.text}  ({place(result.rule.position)})")
    elif cell.allow:
        for near in explain(result.loaded, cell.who, cell.call, cell.now, cell.client).near[:1]:
            lines.append(f"nearest  {near['rule']}  ({near['place']})")
            lines += [f"         {why}" for why in near["why"]]
    return lines
