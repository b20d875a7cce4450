"""BS506: a subject or rule set in monitor mode."""

from brickscope.core.policy import Mode

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView, Survey


def of_rule_set(view: RuleSetView) -> Findings:
    """A rule set in monitor mode, with the subjects that do not enforce it."""
    if view.rule_set.mode is Mode.MONITOR:
        place = view.survey.written.entries["rule_sets"][view.name].position("mode")
        held = tuple(each.name for each in view.holders if each.subject.mode is not Mode.ENFORCE)
        yield Found(place, f"the rule set {view.name} is in monitor mode", subjects=held)


def of_policy(survey: Survey) -> Findings:
    """Subjects in monitor mode."""
    for each in survey.people.values():
        if each.subject.mode is Mode.MONITOR:
            yield survey.about(each.name, f"the {each.kind} {each.name} is in monitor mode", "mode")
