"""What would allow a call: the narrowest entry that does, ready to be pasted, and tried before it is shown."""

import ipaddress
from collections.abc import Callable
from textwrap import indent
from typing import Any, NamedTuple

import yaml

from brickscope.core.decision import Decision, Refused
from brickscope.core.policy import Login, RuleSet, Subject
from brickscope.core.reason import CHANGE, Kind, Reason
from brickscope.core.request import ApiRequest
from brickscope.policy.problem import redact

from .call import Call
from .judge import GROUPS, Known
from .opening import ends_open, opening
from .shown import risk

Try = Callable[[Known], Decision]
"""Judges the call for somebody whose entry was changed."""


class Remedy(NamedTuple):
    """``text``: what to do. ``place``: the keys of the policy under which ``item`` is to be put; both empty where no lines
    of policy help. ``note``: what else it opens, and what is not known."""

    text: str
    place: tuple[str, ...] = ()
    item: Any = None
    note: str = ""

    @property
    def yaml(self) -> str | None:
        """The lines to paste at the place, without indentation; None where there are none."""
        return None if self.item is None else to_yaml(self.item)

    @property
    def whole(self) -> str:
        """The lines with the keys above them; empty where there are none."""
        if self.item is None:
            return ""
        if self.place[-1] == "allow":  # rules, one a line
            keys = [f"{'  ' * depth}{to_yaml(key)}:" for depth, key in enumerate(self.place)]
            return "\n".join([*keys, indent(to_yaml(self.item), "  " * len(keys))])
        whole = self.item
        for key in reversed(self.place):
            whole = {key: whole}
        return to_yaml(whole)


def to_yaml(value: Any) -> str:
    """A value as lines of YAML in printable ASCII, without a line end. What a client wrote can't forge a line in it, nor
    leave a token there."""
    if isinstance(value, list):
        return "\n".join(f"- {to_yaml(each)}".replace("\n", "\n  ") for each in value)
    if isinstance(value, dict):
        text = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=2**30).rstrip("\n")
    else:
        text = yaml.safe_dump([value], default_flow_style=True, width=2**30)[1:-2]
    return redact(text)


def find_remedy(who: Known, call: Call, client: str, decision: Decision, attempt: Try) -> Remedy | None:
    """What would allow a denied call. ``client``: the address it came from. ``attempt`` shows that a proposal does it."""
    request, subject, reason = call.request, who.subject, decision.reason
    if decision.allow:
        return None
    if isinstance(request, Refused) or reason.kind is not Kind.POLICY:
        return _none(decision, in_every_mode=isinstance(request, Refused))
    if reason is Reason.GRANT_NOT_ALLOWED and call.asked is not None:
        grants = sorted(grant.value for grant in {*subject.grants, call.asked.grant})
        return Remedy("name the grant", _place(who, "grants"), grants)
    if reason is Reason.EXPIRED:
        return Remedy(f"give {who.name!r} a later end, or none", _place(who), {"expires": "YYYY-MM-DD"})
    if reason is Reason.CLIENT_NOT_ALLOWED:
        return _binding(who, "clients", [*map(str, subject.clients or ()), client], attempt)
    if reason is Reason.WORKSPACE_NOT_ALLOWED:
        here = request.host if request.workspace is None else f"{request.host}?o={request.workspace}"
        return _binding(who, "workspaces", [*sorted(subject.workspaces or ()), here], attempt)
    if reason is Reason.DENIED_BY_RULE:
        return Remedy(
            "a deny overrides every allow: narrow or delete that rule, or give the subject another rule set"
        )
    if isinstance(subject, Login):
        return None
    return _rule(who, subject, request, call.body, decision, attempt)


def _none(decision: Decision, *, in_every_mode: bool) -> Remedy:
    if decision.reason.kind is Kind.SUBJECT:
        return Remedy("the policy must name the client")
    change = CHANGE.get(decision.reason)
    if change is None:
        return Remedy("no rule can allow it")
    who = "no rule that checks parameters" if decision.reason in OF_PARAMETERS else "no rule"
    more = ", and monitor mode does not send it either" if in_every_mode else ""
    return Remedy(f"{who} can allow it{more}; what the client can change: {change}")


OF_PARAMETERS = frozenset(
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
    try:
        changed: Any = tuple(map(ipaddress.ip_network, values)) if key == "clients" else frozenset(values)
    except ValueError:  # an altered record may have anything there
        return None
    changed_subject = who.subject._replace(**{key: changed})
    decision = attempt(who._replace(subject=changed_subject))
    more = "" if decision.allow else f"it would then be denied for {decision.reason.value}: {decision.detail}"
    return Remedy(f"widen what {who.name!r} is bound to", _place(who, key), values, more)


def _place(who: Known, *keys: str) -> tuple[str, ...]:
    return (GROUPS[who.kind][0], who.name, *keys)


def _rule(
    who: Known, subject: Subject, request: ApiRequest, body: bytes, decision: Decision, attempt: Try
) -> Remedy | None:
    rule_set = subject.rule_set

    def allows(widened: RuleSet) -> bool:
        return attempt(who._replace(subject=subject._replace(rule_set=widened))).allow

    entries = opening(rule_set, rule_set.operations, request, body, allows)
    if entries is None:
        return None
    cautions = ["it is for all subjects of the rule set"]
    if len(entries) > 1:
        cautions.append(
            f"all {len(entries)} rules are needed, since servers could read the call in as many ways"
        )
    if ends_open(entries[0]):
        cautions.append("it also covers all that is below")
    cautions += filter(None, [risk(decision.operation)])
    place = ("rule_sets", rule_set.name, "allow")
    return Remedy(f"add to the rule set {rule_set.name!r}", place, entries, "; ".join(cautions))
