"""BS403: a class of every service."""

from brickscope.catalog.catalog import CLASSES

from ..check.finding import Findings, Found, Severity
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Rules that are a class without a service, or a preset with one in it."""
    for written in view.allow:
        texts = {
            rule.text.rpartition(": ")[2] if written.is_preset else rule.text for rule in written.operations
        }
        kinds = [kind for kind in CLASSES if f"class {kind}" in texts]
        if kinds:
            mild = None if kinds == ["read"] else Severity.ERROR
            text = f"{written.text} means {len(written.operations)} operations, in every service"
            yield Found.of(written, text, severity=Severity.NOTE if written.is_preset else mild)
