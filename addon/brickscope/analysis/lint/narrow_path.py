"""BS116: a path rule that does not take every name."""

from brickscope.core.rule import Rule
from brickscope.core.template import Variable
from brickscope.policy.written import WrittenRule

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..reach import calls, reach, without_mirror
from ..shown import MOST, listed


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
