"""Lints of single rules and of rule sets: what is there twice, without effect, or impossible."""

from __future__ import annotations

from ..check.code import of
from ..check.finding import Findings, Found, Severity
from ..check.survey import RuleSetView
from ..reach import reach


@of("rule_set")
def duplicate_rule(view: RuleSetView) -> Findings:
    """Rules that mean the same as one before them."""
    for rules in view.lists:
        for written in rules.written:
            first = rules.equal(written)
            if first is not None:
                yield Found.of(written, f"{written.text} is already in the list", related=[first])


@of("rule_set")
def superfluous_rule(view: RuleSetView) -> Findings:
    """Rules that others of their list cover. A limit that another rule undoes is BS103, and said once."""
    undone = {limit.written.position for limit in view.undone_limits}
    for rules in view.lists:
        for written in rules.written:
            if rules.equal(written) is not None or written.position in undone:
                continue
            wider = rules.wider(written)
            if wider:
                names = " and ".join(dict.fromkeys(each.text for each in wider))
                yield Found.of(written, f"{written.text} is part of {names} already", related=wider)


@of("rule_set")
def undone_limit(view: RuleSetView) -> Findings:
    """Limits that a call breaks and is allowed all the same."""
    for written, broken in view.undone_limits:
        proof, other = next(iter(broken.values()))
        text = f"the limit on {', '.join(broken)} has no effect: {other.text} allows it without"
        yield Found.of(written, text, operations=broken, proofs=[proof], related=[other])


@of("rule_set")
def needless_deny(view: RuleSetView) -> Findings:
    """Denies that no allow meets."""
    for written in view.deny:
        if not (written.is_empty or view.never(written) or view.allowed.meets(written)):
            yield Found.of(written, f"nothing allows what {written.text} denies")


@of("rule_set")
def denied_allow(view: RuleSetView) -> Findings:
    """Rules under ``allow`` of which the denies leave nothing."""
    for written in view.allow:
        if not (written.is_empty or view.never(written)) and view.is_idle(written):
            yield Found.of(written, f"all that {written.text} allows is denied")


@of("rule_set")
def empty_rule(view: RuleSetView) -> Findings:
    """Rules that stand for no operation and no path."""
    for written in (*view.allow, *view.deny):
        if written.is_empty:
            yield Found.of(written, f"no operation is a {written.text}")


@of("rule_set")
def impossible_condition(view: RuleSetView) -> Findings:
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


@of("rule_set")
def idle_rule_set(view: RuleSetView) -> Findings:
    """A rule set all of whose rules are idle."""
    if all(map(view.is_idle, view.allow)):
        yield Found(view.position, f"no rule of {view.name} allows anything")


@of("rule_set")
def unknown_path(view: RuleSetView) -> Findings:
    """Path rules that reach no call of the catalogue."""
    for written in (*view.allow, *view.deny):
        unknown = [path.text for path in written.paths if not reach(path)]
        if unknown:
            yield Found(written.position, f"{unknown[0]} is not a call in the catalogue")


@of("rule_set")
def unused_rule_set(view: RuleSetView) -> Findings:
    """A rule set without subjects."""
    if not view.holders:
        yield Found(view.position, f"no subject has the rule set {view.name}")
