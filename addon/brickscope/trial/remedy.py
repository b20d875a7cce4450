"""What would allow a call: the narrowest entry that does, ready to be pasted, and tried before it is shown."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import yaml

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import ABSENT
from brickscope.core.decision import Decision, Refused
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Login, RuleSet, Subject
from brickscope.core.reason import Kind, Reason
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
from .sight import is_plain, see, see_all

GROUPS = {
    "token": "tokens",
    "service principal": "service_principals",
    "user": "users",
    "login": "logins",
}
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
        return _none(decision)
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


def _none(decision: Decision) -> Remedy:
    if decision.reason.kind is Kind.SUBJECT:
        return Remedy("the policy has to name who asks")
    if decision.reason.kind is Kind.READING:
        return Remedy(
            "no rule can allow it: the request has to be written in the one way that has a single reading"
        )
    return Remedy("no rule can allow it")


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
    for entry in _entries(rule_set, request, body, decision.operation):
        widened = _with(rule_set, entry)
        if widened is None or not attempt(who._replace(subject=subject._replace(rule_set=widened))).allow:
            continue
        others_too = "it is for all subjects of the rule set"
        about = risk(decision.operation)
        return Remedy(
            f"add to the rule set {rule_set.name!r}",
            f"rule_sets:\n  {rule_set.name}:\n    allow:\n{_item(entry)}",
            f"{others_too}; {about}" if about else others_too,
        )
    return None


def _entries(
    rule_set: RuleSet, request: ApiRequest, body: bytes, operation: str | None
) -> list[str | dict[str, Any]]:
    """Rules that could allow a call, the narrowest first."""
    found: list[str | dict[str, Any]] = []
    known = None if operation is None else load_catalog().operations.get(operation)
    if known is not None and operation is not None:
        present = rule_set.operations.get(operation, ())
        for rule in present:
            narrow = _like(rule, request, body)
            if narrow is not None:
                found.append(narrow)
        objects = _values(request, body, list(known.object))
        objects = {name: value for name, value in objects.items() if value != {"absent": True}}
        if objects and not present:
            found.append({"operation": operation, "where": objects})
        found.append(operation)
    try:
        path = f"{request.method} /{'/'.join(request.segments)}"
        parse_rule(path)
    except TemplateError:
        return found
    return [*found, path]


def _like(rule: OperationRule, request: ApiRequest, body: bytes) -> dict[str, Any] | None:
    """A rule with the conditions of another one, as this call would meet them."""
    where = _values(request, body, [constraint.name for constraint in rule.where])
    entry: dict[str, Any] = {"operation": rule.operation}
    if where:
        entry["where"] = where
    if rule.only is not None:
        try:
            parameters = see(request, body, rule.where)
        except Refused:
            return None
        if parameters is None:
            return None
        more = parameters.others({name.partition(".")[0] for name in where})
        entry["only"] = sorted({*rule.only, *more} - {name.partition(".")[0] for name in where})
    return entry if len(entry) > 1 else None


def _values(request: ApiRequest, body: bytes, names: list[str]) -> dict[str, Any]:
    """What the call has for these parameters, as ``where`` would say it; without those that no test can name."""
    found: dict[str, Any] = {}
    for name, value in see_all(request, body, names).items():
        if value is ABSENT:
            found[name] = {"absent": True}
        elif isinstance(value, list):
            if value and all(map(is_plain, value)):
                found[name] = list(dict.fromkeys(map(plain, value)))
        elif is_plain(value):
            found[name] = plain(value)
    return found


def _with(rule_set: RuleSet, entry: str | dict[str, Any]) -> RuleSet | None:
    """The rule set with one more rule; None for one that the policy would not take."""
    if isinstance(entry, str) and " " in entry:
        return rule_set._replace(allow=RuleTable([*rule_set.allow.rules, parse_rule(entry)]))
    wrong: list[str] = []
    written = entry if isinstance(entry, str) else RuleEntry.model_validate(entry)
    named = expand(written, lambda message, hint: wrong.append(message))
    if wrong:
        return None
    operations = dict(rule_set.operations)
    for rule in named.rules:
        operations[rule.operation] = (*operations.get(rule.operation, ()), rule)
    return rule_set._replace(operations=operations)


def _item(entry: str | dict[str, Any]) -> str:
    """One line of a list, or several."""
    first, *more = _yaml(entry).removesuffix("...\n").splitlines()
    return "\n".join([f"      - {first}", *(f"        {line}" for line in more)])


def _yaml(content: str | Mapping[str, Any]) -> str:
    """As people write a policy. What a client wrote can't forge a line in it, nor leave a token there."""
    return redact(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100))
