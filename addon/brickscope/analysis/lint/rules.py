"""Rules without effect, and rule sets that nobody has or that do nothing (BS101 to BS111, BS504, BS506)."""

from brickscope.core.policy import Mode

from ..check.finding import Findings, Found, Severity
from ..check.survey import RuleSetView
from ..reach import reach
from ..shown import listed


def duplicate_rule(view: RuleSetView) -> Findings:
    """BS101: rules that mean the same as one before them."""
    for rules in (view.allowed, view.denied):
        for written in rules.written:
            first = rules.equal(written)
            if first is not None:
                yield Found.of(written, f"{written.text} is already in the list", related=[first])


def superfluous_rule(view: RuleSetView) -> Findings:
    """BS102: rules that others of their list cover. A limit that another rule undoes is BS103, and said once."""
    for rules in (view.allowed, view.denied):
        for written in rules.written:
            wider = rules.wider.get(written.position)
            if wider and rules.equal(written) is None and written not in view.undone_limits:
                names = " and ".join(dict.fromkeys(each.text for each in wider))
                yield Found.of(written, f"{written.text} is part of {names} already", related=wider)


def undone_limit(view: RuleSetView) -> Findings:
    """BS103: limits that a call breaks and is allowed all the same."""
    for written, broken in view.undone_limits.items():
        proof, other = next(iter(broken.values()))
        text = f"the limit on {', '.join(broken)} has no effect: {other.text} allows it without"
        yield Found.of(written, text, operations=broken, proofs=[proof], related=[other])


def needless_deny(view: RuleSetView) -> Findings:
    """BS104: denies that no allow meets."""
    for written in view.deny:
        if not (written.is_empty or view.never(written) or view.allowed.meets(written)):
            yield Found.of(written, f"nothing allows what {written.text} denies")


def denied_allow(view: RuleSetView) -> Findings:
    """BS105: rules under ``allow`` of which the denies leave nothing."""
    for written in view.allow:
        if not (written.is_empty or view.never(written)) and view.is_idle(written):
            yield Found.of(written, f"all that {written.text} allows is denied")


def empty_rule(view: RuleSetView) -> Findings:
    """BS106: rules that stand for no operation and no path."""
    for written in (*view.allow, *view.deny):
        if written.is_empty:
            yield Found.of(written, f"no operation is a {written.text}")


def impossible_condition(view: RuleSetView) -> Findings:
    """BS107: rules whose conditions no call meets."""
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


def idle_rule_set(view: RuleSetView) -> Findings:
    """BS108: a rule set all of whose rules are idle."""
    if all(map(view.is_idle, view.allow)):
        yield Found(view.position, f"no rule of {view.name} allows anything")


def unknown_path(view: RuleSetView) -> Findings:
    """BS110: path rules that reach no call of the catalogue."""
    for written in (*view.allow, *view.deny):
        unknown = [path.text for path in written.paths if not reach(path)]
        if unknown:
            yield Found(written.position, f"{unknown[0]} is not a call in the catalogue")


def unused_rule_set(view: RuleSetView) -> Findings:
    """BS111: a rule set without subjects."""
    if not view.holders:
        yield Found(view.position, f"no subject has the rule set {view.name}")


def different_bindings(view: RuleSetView) -> Findings:
    """BS504: a rule set whose subjects are bound to different workspaces or clients."""
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


def monitored_subject(view: RuleSetView) -> Findings:
    """BS506: a rule set in monitor mode, with the subjects that do not enforce it."""
    if view.rule_set.mode is Mode.MONITOR:
        place = view.survey.written.entries["rule_sets"][view.name].position("mode")
        held = tuple(each.name for each in view.holders if each.subject.mode is not Mode.ENFORCE)
        yield Found(place, f"the rule set {view.name} is in monitor mode", subjects=held)
