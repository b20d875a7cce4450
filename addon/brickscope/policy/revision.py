"""The revision: the name of a policy's meaning, which every record carries."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import Constraint
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Issuer, Login, Policy, RuleSet, Subject


def revision(policy: Policy) -> str:
    """16 hex digits that change with everything that can change a decision or what is said of it, and with nothing else."""
    known = policy.principals
    content: dict[str, Any] = {
        "mode": policy.mode.value,
        "tokens": {fingerprint: _subject(subject) for fingerprint, subject in policy.tokens.items()},
        "rule_sets": {rule_set.name: _rule_set(rule_set) for rule_set in policy.rule_sets.values()},
    }
    principals: dict[str, Any] = {
        "service_principals": {name: _subject(each) for name, each in known.service_principals.items()},
        "users": {name: _subject(each) for name, each in known.users.items()},
        "entra": sorted([*map(str, key), *map(str, _subject(each))] for key, each in known.entra.items()),
        "logins": [[login.name, login.client_id, *_bindings(login)] for login in known.logins],
        "issuers": {url: _issuer(issuer) for url, issuer in known.issuers.items()},
    }
    if any(each.operations or each.denied_operations for each in policy.rule_sets.values()):
        content["catalogue"] = load_catalog().version  # which calls a name stands for
    # Left out where empty, so that a policy of tokens alone keeps the revision that its log already has.
    if policy.contact:
        content["contact"] = policy.contact
    content |= {key: value for key, value in principals.items() if value}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _rule_set(rule_set: RuleSet) -> list[Any]:
    content: list[Any] = [
        sorted({f"{rule.method} {rule.template}" for rule in rule_set.allow.rules}),
        sorted({f"{rule.method} {rule.template}" for rule in rule_set.deny.rules}),
        rule_set.mode,
    ]
    if rule_set.operations or rule_set.denied_operations:
        content += [_operations(rule_set.operations), _operations(rule_set.denied_operations)]
    if rule_set.contact:
        content.append({"contact": rule_set.contact})
    return content


def _operations(rules: Mapping[str, tuple[OperationRule, ...]]) -> list[str]:
    return sorted(
        {
            repr(
                (
                    rule.operation,
                    sorted(map(_constraint, rule.where)),
                    None if rule.only is None else sorted(rule.only),
                )
            )
            for each in rules.values()
            for rule in each
        }
    )


def _constraint(constraint: Constraint) -> str:
    test = constraint.test
    parts = [sorted(map(repr, part)) if isinstance(part, frozenset) else str(part) for part in test[1:]]
    more = (sorted(constraint.stand_ins), sorted(constraint.alternatives), constraint.below)
    return repr((constraint.name, constraint.place, test.kind.name, parts, more))


def _subject(subject: Subject) -> list[Any]:
    bindings = _bindings(subject)
    more: list[Any] = [] if subject.azure_resource is None else [subject.azure_resource]
    if subject.credential is not None:
        more.append({"credential": subject.credential})
    return [subject.name, subject.rule_set.name, *(bindings if subject.grants else bindings[:4]), *more]


def _bindings(subject: Subject | Login) -> list[Any]:
    return [
        subject.mode,
        sorted(subject.workspaces) if subject.workspaces else None,
        sorted(map(str, subject.clients)) if subject.clients else None,
        subject.expires,
        sorted(subject.grants),
        # Left out where empty: a policy without keeps its revision.
        *sorted([name, *sorted(values)] for name, values in subject.token_fields.items()),
    ]


def _issuer(issuer: Issuer) -> list[Any]:
    content: list[Any] = [
        sorted(issuer.hosts.patterns),
        issuer.keys_url,
        issuer.keys.digest if issuer.keys else None,
    ]
    return content if issuer.audience is None else [*content, issuer.audience, *issuer.management]
