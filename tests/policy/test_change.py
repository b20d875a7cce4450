"""Who is in monitor mode, in words, and what a reload changed of that."""

from __future__ import annotations

from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.rule import RuleTable
from brickscope.policy.change import NAMED, ModeChange, mode_changes, monitored_subjects

NONE = RuleTable(())


def policy(count: int, **modes: Mode | None) -> Policy:
    rule_set = RuleSet("r", NONE, NONE, modes.get("rule_set"))
    subjects = {
        str(n): Subject(f"s{n:02}", rule_set, modes.get("subject") if n else None) for n in range(count)
    }
    return Policy(subjects, {"r": rule_set}, modes.get("proxy") or Mode.ENFORCE, "r")


def test_who_is_in_monitor_mode_is_named() -> None:
    assert monitored_subjects(policy(2)) == ""
    assert monitored_subjects(policy(3, subject=Mode.MONITOR)) == "s01, s02 (2 of 3 subjects)"
    assert monitored_subjects(policy(2, rule_set=Mode.MONITOR)) == "s00, s01 (2 of 2 subjects)"
    assert (
        monitored_subjects(policy(2, rule_set=Mode.MONITOR, subject=Mode.ENFORCE)) == "s00 (1 of 2 subjects)"
    )
    assert "the whole proxy" in monitored_subjects(policy(1, proxy=Mode.MONITOR))
    many = monitored_subjects(policy(NAMED + 5, subject=Mode.MONITOR))
    assert many.endswith("s10 and 4 more (14 of 15 subjects)")


def test_each_mode_that_is_another_now_is_told() -> None:
    """Auditors see in the log when denials ceased to be enforced, and for whom."""
    monitor, enforce = Mode.MONITOR, Mode.ENFORCE
    before = policy(2)
    assert list(mode_changes(before, before)) == []
    assert list(mode_changes(before, policy(2, proxy=monitor))) == [
        ModeChange("proxy", None, enforce, monitor)
    ]
    assert list(mode_changes(before, policy(2, rule_set=monitor))) == [
        ModeChange("rule_set", "r", None, monitor)
    ]
    # One that is new counts if it brings a mode of its own; one that is gone, never.
    assert list(mode_changes(before, policy(3, subject=monitor))) == [
        ModeChange("subject", "s01", None, monitor),
        ModeChange("subject", "s02", None, monitor),
    ]
    assert list(mode_changes(policy(3, subject=monitor), policy(2, subject=monitor))) == []
    assert list(mode_changes(policy(2, subject=monitor), before)) == [
        ModeChange("subject", "s01", monitor, None)
    ]
