"""BS504: one rule set, different bindings."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..shown import listed


def of_rule_set(view: RuleSetView) -> Findings:
    """A rule set whose subjects are bound to different workspaces or clients."""
    texts = []
    for binding in ("workspaces", "clients"):
        bound: dict[frozenset[str], str] = {}
        for holder in view.holders:
            values = getattr(holder.subject, binding)
            if values is not None:
                bound.setdefault(frozenset(map(str, values)), holder.name)
        if len(bound) > 1:
            texts.append(f"{binding} of {listed([*bound.values()], 4)}")
    if texts:
        yield Found(view.position, f"with the rule set {view.name}, {' and '.join(texts)} differ")
