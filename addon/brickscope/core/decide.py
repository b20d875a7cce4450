"""The decision: a pure function of policy, request, client and time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from .credential import read_token
from .decision import Decision, Refused
from .fingerprint import fingerprint
from .policy import Mode, Policy, Subject
from .reason import Kind, Reason
from .request import ApiRequest

# Looked up once: a decision has a budget of microseconds.
_ALLOWED, _ENFORCE = Reason.ALLOWED_BY_RULE, Mode.ENFORCE


def decide(policy: Policy, request: ApiRequest, client_address: str, now: float) -> Decision:
    """Decide on a request.

    ``client_address``: the peer's IP address as the proxy saw it. ``now``: seconds since the epoch, UTC.
    Never raises for anything a client can send; every way out that is not a matching allow rule is a denial.
    """
    try:
        name = fingerprint(read_token(request.authorization))
    except Refused as refused:
        return _without_subject(policy, refused.reason, refused.detail, None)
    subject = policy.tokens.get(name)
    if subject is None:
        return _without_subject(
            policy,
            Reason.UNKNOWN_TOKEN,
            f"the policy names no token with the fingerprint {name}",
            name,
        )
    reason, detail, rule = _judge(subject, request, client_address, now)
    allow = reason is _ALLOWED
    mode = subject.mode or subject.rule_set.mode or policy.mode
    return Decision(
        allow,
        reason,
        detail,
        allow or mode is _ENFORCE,
        mode._value_,
        subject.name,
        name,
        subject.rule_set.name,
        rule,
        policy.revision,
    )


def _without_subject(policy: Policy, reason: Reason, detail: str, name: str | None) -> Decision:
    """The denial of somebody the policy does not name; goes on only if the whole proxy is in monitor mode."""
    enforced = policy.mode is Mode.ENFORCE or reason.kind is not Kind.SUBJECT
    return Decision(
        False,
        reason,
        detail,
        enforced,
        policy.mode.value,
        fingerprint=name,
        policy_revision=policy.revision,
    )


def _judge(
    subject: Subject, request: ApiRequest, client_address: str, now: float
) -> tuple[Reason, str, str | None]:
    """Reason, detail and the rule that decided (as the operator wrote it). Bindings come before rules."""
    if subject.expires is not None and now >= subject.expires:
        when = datetime.fromtimestamp(subject.expires, UTC).isoformat().replace("+00:00", "Z")
        return Reason.EXPIRED, f"the policy lets {subject.name!r} act until {when} only", None
    if subject.clients is not None:
        address = _address(client_address)
        if address is None or not any(address in network for network in subject.clients):
            return (
                Reason.CLIENT_NOT_ALLOWED,
                f"the policy does not let {subject.name!r} act from {client_address}",
                None,
            )
    if subject.workspaces is not None and request.host not in subject.workspaces:
        return (
            Reason.WORKSPACE_NOT_ALLOWED,
            f"the policy does not let {subject.name!r} act on {request.host}",
            None,
        )
    rule_set = subject.rule_set
    denied = rule_set.deny.match(request.method, request.segments) if rule_set.deny.rules else None
    if denied is not None:
        return (
            Reason.DENIED_BY_RULE,
            f"rule set {rule_set.name!r} denies it by the rule {denied.text!r}",
            denied.text,
        )
    allowed = rule_set.allow.match(request.method, request.segments)
    if allowed is None:
        return Reason.NO_RULE_MATCHES, f"rule set {rule_set.name!r} has no rule that allows it", None
    return _ALLOWED, "a rule of the rule set allows it", allowed.text


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The client's address; an IPv4 client on an IPv6 socket (``::ffff:10.0.0.1``) is the IPv4 address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
