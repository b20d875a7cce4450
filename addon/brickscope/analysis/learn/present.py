"""What the present policy makes of a subject that is learned, and which of its rules are there to watch only.

A watching rule (``where: {job_id: {pattern: "{any...}", optional: true}}``) limits nothing: it makes the log hold the values
of a parameter. Learning puts limits in its place.
"""

from typing import NamedTuple

from brickscope.analysis.judge import GROUPS, Known, known
from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import is_anything
from brickscope.core.policy import RuleSet, Subject
from brickscope.policy.load import Loaded
from brickscope.policy.written import WrittenRule

from .evidence import Selector
from .proposal import LearnError, Wish


class Present(NamedTuple):
    """A subject that the policy names. ``who``: with its rules but the ``watching`` ones. ``shared``: others with the same
    rule set."""

    loaded: Loaded
    who: Known
    rule_set: str
    watching: tuple[WrittenRule, ...]
    shared: tuple[str, ...]

    @property
    def rules(self) -> list[WrittenRule]:
        """What the rule set allows, as written."""
        return self.loaded.written.of(self.rule_set, "allow")


def find_present(loaded: Loaded, who: Selector, wish: Wish) -> Present | None:
    """The subject in the policy; None for one that it does not name. Raises LearnError for a login, which makes no calls."""
    everybody = known(loaded.policy)
    found = everybody.get(who.value) if who.by == "subject" else None
    if who.by != "subject":
        named = (each for each in everybody.values() if who.value in " ".join(each.marks).split())
        found = next(
            (each for each in named if GROUPS[each.kind][1] == who.by and each.rule_set is not None),
            None,
        )
    if found is None:
        return None
    subject = found.subject
    if not isinstance(subject, Subject):
        raise LearnError(f"{found.name!r} is a login: it asks for tokens, and has no rules to learn")
    name = subject.rule_set.name
    operations = load_catalog().operations
    watching = tuple(
        rule
        for rule in loaded.written.of(name, "allow")
        if _watches(rule) and all(wish.permits(operations[each.operation]) for each in rule.operations)
    )
    having = (each.name for each in everybody.values() if each.rule_set == name)
    shared = tuple(each for each in having if each != found.name)
    without = subject._replace(rule_set=_without(subject.rule_set, watching))
    return Present(loaded, found._replace(subject=without), name, watching, shared)


def _watches(rule: WrittenRule) -> bool:
    """Whether a rule stands there only for the log to have values: every test of it is met by all of them."""
    tests = [constraint.test for each in rule.operations for constraint in each.where]
    by_values = not rule.paths and all(each.where and each.only is None for each in rule.operations)
    return (
        by_values
        and bool(tests)
        and all(test.optional and test.pattern and is_anything(test.pattern[0]) for test in tests)
    )


def _without(rule_set: RuleSet, rules: tuple[WrittenRule, ...]) -> RuleSet:
    """A rule set without some of its rules by name."""
    gone = {each.entry for rule in rules for each in rule.operations}
    operations = {
        name: kept
        for name, every in rule_set.operations.items()
        if (kept := tuple(each for each in every if each.entry not in gone))
    }
    return rule_set._replace(operations=operations)
