"""BS107: a condition that no call can meet."""

from ..check.finding import Findings, Found, Severity
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Rules whose conditions no call meets."""
    for written in (*view.allow, *view.deny):
        whys = view.never(written)
        if whys:
            denies = written.part == "deny"
            text = f"so it {'denies' if denies else 'allows'} nothing ({'; '.join(whys)})"
            yield Found.of(
                written,
                f"no call can meet {written.text}, {text}",
                severity=Severity.ERROR if denies else None,
            )
