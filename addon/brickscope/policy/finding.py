"""pydantic's findings in the words of the policy format, each at its place in the file."""

from __future__ import annotations

import re

from pydantic_core import ErrorDetails

from brickscope.core.policy import Grant

from .document import Document, Path
from .model import ENTRIES, AcceptEntry, PolicyFile, RuleEntry
from .problem import Problem, nearest, redact

GRANTS = [grant.value for grant in Grant]
_SECRETIVE = {"fingerprint", "placeholder", "revoked", "client_id", "application_id", "object_id"}
"""Keys whose values are not repeated: people paste the secret instead of its name."""
_PATTERNS = {
    "client_id": "this is no client id; write the application id of the service principal, or the OAuth client's",
    "sub": "this is no login name, such as alice@example.com",
    "keys_file": "a key file is named NAME.jwks.json and lies beside the policy file",
    "finding": "a finding has a code such as BS213, as 'brickscope check' prints it",
    "reason": "say why it is accepted",
}

MAX_WORD = 64
"""How much of a wrong word a message repeats."""

MESSAGES = {
    "missing": "the key {key!r} is missing",
    "dict_type": "this must be a mapping of names, 'name: value'",
    "model_type": "this must be a mapping, 'key: value'",
    "list_type": "this must be a list, '- one entry a line'",
    "string_type": "this must be text",
    "too_short": "the list is empty",
    "string_pattern_mismatch": "a name has letters, digits, '.', '_' and '-', at most 64",
}


def explain(document: Document, details: ErrorDetails) -> Problem:
    """pydantic's finding in the words of this format, at its place in the file."""
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    kind, context = details["type"], details.get("ctx", {})
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden" and key == "application_id" and path[0] == "users":
        return document.problem(
            document.key_position(path),
            "an application's token is a person's only by the person's object id, since anybody can use it",
            "delete the key; a person has tenant: and object_id:",
        )
    if kind == "extra_forbidden":
        # Below tokens the line may be `token: ...` with the token itself, below others `client_secret: ...`.
        return document.problem(
            document.key_position(path),
            f"unknown key {redact(key)[:MAX_WORD]!r}",
            nearest(key[:MAX_WORD], _keys(path)),
            quote=path[0] == "rule_sets",
        )
    if kind == "value_error":
        message, _, hint = str(context.get("error", details["msg"])).partition("; ")
        return document.problem(document.position(path), message, hint, quote=not _SECRETIVE & set(path))
    if kind == "literal_error" and "grants" in path:
        return document.problem(
            document.position(path),
            f"{redact(str(details.get('input')))[:MAX_WORD]!r} is no grant that can be named",
            nearest(str(details.get("input"))[:MAX_WORD], GRANTS) or f"one of {', '.join(GRANTS)}",
        )
    if kind == "literal_error":
        given = details.get("input")
        expected = str(context.get("expected", ""))
        if key == "version":
            return document.problem(
                document.position(path), "this Brickscope reads version 1 of the format", "version: 1"
            )
        word = redact(str(given))[:MAX_WORD]
        hint = nearest(word, re.findall(r"'(\w+)'", expected)) or f"one of {expected}"
        return document.problem(document.position(path), f"{word!r} is no {key}", hint)
    if kind == "string_pattern_mismatch" and key in _PATTERNS:
        return document.problem(document.position(path), _PATTERNS[key], quote=key not in _SECRETIVE)
    if kind == "too_long" and key in ("fingerprint", "placeholder"):
        return document.problem(
            document.position(path), "a token has one fingerprint, or two while it is replaced", quote=False
        )
    if kind == "too_short" and key == "allow":
        return document.problem(
            document.position(path), "an empty allowlist allows nothing", "list calls or delete it"
        )
    if kind == "missing":
        hint = "write 'version: 1'" if key == "version" else ""
        return document.problem(document.key_position(path[:-1]), MESSAGES[kind].format(key=key), hint)
    where = document.key_position(path) if kind == "string_pattern_mismatch" else document.position(path)
    return document.problem(where, MESSAGES.get(kind, "this value can't be used here"))


def _keys(path: Path) -> list[str]:
    """The keys that may stand where an unknown one stands."""
    if len(path) == 5 and path[0] == "rule_sets":
        return [field.alias or name for name, field in RuleEntry.model_fields.items()]
    if len(path) == 3 and path[0] == "accept":
        return list(AcceptEntry.model_fields)
    if len(path) == 3 and path[0] in ENTRIES:
        return list(ENTRIES[str(path[0])].model_fields)
    return list(PolicyFile.model_fields)
