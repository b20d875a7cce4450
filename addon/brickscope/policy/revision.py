"""The revision: the name of a policy's meaning, which every record carries."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from brickscope.core.policy import Issuer, Login, Policy, Subject


def revision(policy: Policy) -> str:
    """16 hex digits that change with everything that can change a decision, and with nothing else."""
    known = policy.principals
    content: dict[str, Any] = {
        "mode": policy.mode.value,
        "tokens": {fingerprint: _subject(subject) for fingerprint, subject in policy.tokens.items()},
        "rule_sets": {
            rule_set.name: [
                sorted({f"{rule.method} {rule.template}" for rule in rule_set.allow.rules}),
                sorted({f"{rule.method} {rule.template}" for rule in rule_set.deny.rules}),
                rule_set.mode,
            ]
            for rule_set in policy.rule_sets.values()
        },
    }
    principals: dict[str, Any] = {
        "service_principals": {name: _subject(each) for name, each in known.service_principals.items()},
        "users": {name: _subject(each) for name, each in known.users.items()},
        "logins": [[login.name, login.client_id, *_bindings(login)] for login in known.logins],
        "issuers": {url: _issuer(issuer) for url, issuer in known.issuers.items()},
    }
    # Left out where empty, so that a policy of tokens alone keeps the revision that its log already has.
    content |= {key: value for key, value in principals.items() if value}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _subject(subject: Subject) -> list[Any]:
    bindings = _bindings(subject)
    return [subject.name, subject.rule_set.name, *(bindings if subject.grants else bindings[:4])]


def _bindings(subject: Subject | Login) -> list[Any]:
    return [
        subject.mode,
        sorted(subject.workspaces) if subject.workspaces else None,
        sorted(map(str, subject.clients)) if subject.clients else None,
        subject.expires,
        sorted(subject.grants),
    ]


def _issuer(issuer: Issuer) -> list[Any]:
    return [sorted(issuer.hosts.patterns), issuer.keys_url, issuer.keys.digest if issuer.keys else None]
