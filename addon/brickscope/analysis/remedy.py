"""What would allow a call: the narrowest entry that does, ready to be pasted, and tried before it is shown."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import ABSENT
from brickscope.core.decision import Decision, Refused
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Login, RuleSet, Subject
from brickscope.core.reason import CHANGE, Kind, Reason
from brickscope.core.request import ApiRequest
from brickscope.core.rule import RuleTable, parse_rule
from brickscope.core.template import TemplateError
from brickscope.policy.model import RuleEntry
from brickscope.policy.operations import expand
from brickscope.policy.problem import redact

from .call import Call
from .example import plain
from .judge import Known
from .shown import risk
from .sight import is_plain, parts, see, see_all

GROUPS = {
    "token": "tokens",
    "service principal": "service_principals",
    "user": "users",
    "login": "logins",
}
Entry = str | dict[str, Any]
"""A line or mapping of a rule set."""
Try = Callable[[Known], Decision]
"""Judges the call for somebody whose entry was changed."""


class Remedy(NamedTuple):
    """``text``: what to do. ``yaml``: what to write, empty where nothing helps. ``caution``: what else it opens."""

    text: str
    yaml: str = ""
    caution: str = ""


def find_remedy(who: Known, call: Call, client: str, decision: Decision, attempt: Try) -> Remedy | None:
    """What would allow a denied call. ``client``: the address it came from. ``attempt`` shows that a proposal does it."""
    request, subject, reason = call.request, who.subject, decision.reason
    if decision.allow:
        return None
    if isinstance(request, Refused) or reason.kind is not Kind.POLICY:
        return _none(decision, in_every_mode=isinstance(request, Refused))
    if reason is Reason.GRANT_NOT_ALLOWED and call.asked is not None:
        grants = sorted(grant.value for grant in {*subject.grants, call.asked.grant})
        return Remedy("name the grant", _entry(who, {"grants": grants}))
    if reason is Reason.EXPIRED:
        return Remedy(f"give {who.name!r} a later end, or none", _entry(who, {"expires": "YYYY-MM-DD"}))
    if reason is Reason.CLIENT_NOT_ALLOWED:
        return _binding(who, "clients", [*map(str, subject.clients or ()), client], attempt)
    if reason is Reason.WORKSPACE_NOT_ALLOWED:
        here = request.host if request.workspace is None else f"{request.host}?o={request.workspace}"
        return _binding(who, "workspaces", [*sorted(subject.workspaces or ()), here], attempt)
    if reason is Reason.DENIED_BY_RULE:
        return Remedy(
            "a deny wins over every allow: narrow or delete that rule, or give the subject another rule set"
        )
    if isinstance(subject, Login):
        return None
    return _rule(who, subject, request, call.body, decision, attempt)


def _none(decision: Decision, *, in_every_mode: bool) -> Remedy:
    if decision.reason.kind is Kind.SUBJECT:
        return Remedy("the policy has to name who asks")
    change = CHANGE.get(decision.reason)
    if change is None:
        return Remedy("no rule can allow it")
    who = "no rule that looks at parameters" if decision.reason in _OF_PARAMETERS else "no rule"
    more = ", and monitor mode does not let it go on" if in_every_mode else ""
    return Remedy(f"{who} can allow it{more}; what the client can change: {change}")


_OF_PARAMETERS = frozenset(
    {
        Reason.PARAMETER_TWICE,
        Reason.PARAMETER_MISPLACED,
        Reason.BODY_ENCODED,
        Reason.BODY_NOT_JSON,
        Reason.MESSAGE_MALFORMED,
        Reason.BODY_DUPLICATE_KEY,
        Reason.BODY_TOO_DEEP,
        Reason.TOO_COMPLEX,
    }
)
"""What is refused only where a rule looks at parameters."""


def _binding(who: Known, key: str, values: list[str], attempt: Try) -> Remedy | None:
    changed: Any = tuple(map(ipaddress.ip_network, values)) if key == "clients" else frozenset(values)
    changed_subject = who.subject._replace(**{key: changed})
    decision = attempt(who._replace(subject=changed_subject))
    more = "" if decision.allow else f"it would then be denied for {decision.reason.value}: {decision.detail}"
    return Remedy(f"widen what {who.name!r} is bound to", _entry(who, {key: values}), more)


def _entry(who: Known, content: Mapping[str, Any]) -> str:
    return _yaml({GROUPS[who.kind]: {who.name: dict(content)}})


def _rule(
    who: Known, subject: Subject, request: ApiRequest, body: bytes, decision: Decision, attempt: Try
) -> Remedy | None:
    rule_set = subject.rule_set
    for entries in _proposals(rule_set, request, body):
        widened = _with(rule_set, entries)
        if widened is None or not attempt(who._replace(subject=subject._replace(rule_set=widened))).allow:
            continue
        cautions = ["it is for all subjects of the rule set"]
        if len(entries) > 1:
            cautions.append(
                f"all {len(entries)} rules are needed, since servers could read the call in as many ways"
            )
        if str(entries[0]).endswith(_REST):
            cautions.append("it is also for all that lies below")
        cautions += filter(None, [risk(decision.operation)])
        return Remedy(
            f"add to the rule set {rule_set.name!r}",
            f"rule_sets:\n  {rule_set.name}:\n    allow:\n{'\n'.join(map(_item, entries))}",
            "; ".join(cautions),
        )
    return None


_REST = "{name...}"
MIN_FIXED = 3
"""Segments that a rule for all below writes out at least: ``/api/2.0/fs``."""


def _proposals(rule_set: RuleSet, request: ApiRequest, body: bytes) -> Iterator[list[Entry]]:
    """Lists of rules that could allow a call in all its readings, the narrowest first."""
    by_reading = [
        _entries(rule_set, request._replace(readings=(reading,), query=reading.query), body)
        for reading in request.readings
    ]
    plain = by_reading[0]
    yield from ([entry] for entry in plain)
    names = list(dict.fromkeys(part.called.text for part in parts(request, body)))
    if len(names) > 1:
        yield [*names]  # of a batch: all its operations
    if len(by_reading) == 1:
        return
    # A rule for each reading: its operation, else its path.
    together: list[Entry] = []
    for entries in by_reading:
        together += [entry for entry in entries[:1] if entry not in together]
    yield together
    segments = [reading.segments for reading in request.readings]
    fixed = [parts[0] for parts in zip(*segments, strict=False) if len(set(parts)) == 1]
    fixed = fixed[: min(map(len, segments)) - 1]
    if len(fixed) >= MIN_FIXED and _is_rule(path := f"{request.method} /{'/'.join(fixed)}/{_REST}"):
        yield [path]


def _entries(rule_set: RuleSet, request: ApiRequest, body: bytes) -> list[Entry]:
    """Rules that could allow the one reading of a request, the narrowest first."""
    found: list[Entry] = []
    calls = [load_catalog().operations[part.called.text] for part in parts(request, body)]
    for known in calls:
        operation = known.name
        present = rule_set.operations.get(operation, ())
        for rule in present:
            narrow = _like(rule, request, body)
            if narrow is not None:
                found.append(narrow)
        objects = _values(request, body, operation, list(known.object))
        objects = {name: value for name, value in objects.items() if value != {"absent": True}}
        if objects and not present:
            found.append({"operation": operation, "where": objects})
        found.append(operation)
    path = f"{request.method} /{'/'.join(request.segments)}"
    return [*found, path] if _is_rule(path) else found


def _is_rule(path: str) -> bool:
    try:
        parse_rule(path)
    except TemplateError:
        return False
    return True


def _like(rule: OperationRule, request: ApiRequest, body: bytes) -> dict[str, Any] | None:
    """A rule with the conditions of another one, as this call would meet them."""
    where = _values(request, body, rule.operation, [constraint.name for constraint in rule.where])
    entry: dict[str, Any] = {"operation": rule.operation}
    if where:
        entry["where"] = where
    if rule.only is not None:
        try:
            parameters = see(request, body, rule.where, rule.operation)
        except Refused:
            return None
        if parameters is None:
            return None
        more = parameters.others({name.partition(".")[0] for name in where})
        entry["only"] = sorted({*rule.only, *more} - {name.partition(".")[0] for name in where})
    return entry if len(entry) > 1 else None


def _values(request: ApiRequest, body: bytes, operation: str, names: list[str]) -> dict[str, Any]:
    """What the call has for these parameters, as ``where`` would say it; without those that no test can name."""
    found: dict[str, Any] = {}
    for name, value in see_all(request, body, operation, names).items():
        if value is ABSENT:
            found[name] = {"absent": True}
        elif isinstance(value, list):
            if value and all(map(is_plain, value)):
                found[name] = list(dict.fromkeys(map(plain, value)))
        elif is_plain(value):
            found[name] = plain(value)
    return found


def _with(rule_set: RuleSet, entries: list[Entry]) -> RuleSet | None:
    """The rule set with more rules; None for such as the policy would not take."""
    paths = [parse_rule(entry) for entry in entries if isinstance(entry, str) and " " in entry]
    operations = dict(rule_set.operations)
    wrong: list[str] = []
    for entry in entries:
        if isinstance(entry, str) and " " in entry:
            continue
        written = entry if isinstance(entry, str) else RuleEntry.model_validate(entry)
        for rule in expand(written, lambda message, hint: wrong.append(message)).rules:
            operations[rule.operation] = (*operations.get(rule.operation, ()), rule)
    if wrong:
        return None
    return rule_set._replace(allow=RuleTable([*rule_set.allow.rules, *paths]), operations=operations)


def _item(entry: Entry) -> str:
    """One line of a list, or several."""
    first, *more = _yaml(entry).removesuffix("...\n").splitlines()
    return "\n".join([f"      - {first}", *(f"        {line}" for line in more)])


def _yaml(content: str | Mapping[str, Any]) -> str:
    """As people write a policy. What a client wrote can't forge a line in it, nor leave a token there."""
    return redact(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100))
