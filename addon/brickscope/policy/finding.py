"""pydantic's findings in the words of the policy format, each at its place in the file."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pydantic_core import ErrorDetails

from brickscope.core.policy import Grant
from brickscope.core.rule import METHODS

from .document import Document, Path
from .meant import meant
from .model import ENTRIES, AcceptEntry, PolicyFile, RuleEntry
from .problem import Problem, nearest, redact

GRANTS = [grant.value for grant in Grant]
_SECRETIVE = {"fingerprint", "placeholder", "revoked", "client_id", "application_id", "object_id"}
"""Keys whose values are not repeated: people paste the secret instead of its name."""
_PATTERNS = {
    "client_id": "this is not a client id; write the application id of the service principal, or the OAuth client's",
    "sub": "this is not a login name, such as alice@example.com",
    "keys_file": "a key file is named NAME.jwks.json and lies beside the policy file",
    "finding": "a finding has a code such as BS213, as 'brickscope check' prints it",
    "reason": "say why it is accepted",
}

_MISSING = {"version": "write 'version: 1'", "now": "now: 2026-09-21", "policy_tests": "policy_tests: 1"}

MAX_WORD = 64
"""How much of a wrong word a message repeats."""

MESSAGES = {
    "missing": ("the key {key!r} is missing", "write '{key}:' and its value"),
    "dict_type": ("this must be a mapping of names, 'name: value'", ""),
    "model_type": ("this must be a mapping, 'key: value'", ""),
    "list_type": ("this must be a list, '- one entry a line'", ""),
    "string_type": ("this must be text", "write it with quotes"),
    "too_short": ("the list is empty", "list something or delete the key"),
    "string_pattern_mismatch": ("a name has letters, digits, '.', '_' and '-', at most 64", ""),
}
"""What is said of pydantic's findings, and what to write where that does not say it."""


class _Said(NamedTuple):
    """What is said of a finding. ``of_key``: it is about the key. ``quote``: whether its line may be shown."""

    message: str
    hint: str = ""
    of_key: bool = False
    quote: bool = True


def explain(
    document: Document, details: ErrorDetails, keys: Callable[[Path], Iterable[str]] | None = None
) -> Problem:
    """pydantic's finding in the words of this format, at its place in the file. ``keys``: which may stand where an unknown
    one stands; None for a policy's."""
    path: Path = tuple(
        part for part in details["loc"] if part != "[key]" and not str(part).startswith("list[")
    )
    said = _words(path, details, keys or _keys)
    if details["type"] == "missing":
        path = path[:-1]
    place = document.key_position(path) if said.of_key else document.position(path)
    return document.problem(place, said.message, said.hint, quote=said.quote)


def _words(path: Path, details: ErrorDetails, keys: Callable[[Path], Iterable[str]]) -> _Said:
    kind, context = details["type"], details.get("ctx", {})
    key, given = str(path[-1]) if path else "", str(details.get("input"))
    word = redact(given)[:MAX_WORD]
    if kind == "extra_forbidden" and key == "application_id" and path[0] == "users":
        message = "a person is identified by object id only, since anybody can use an application"
        return _Said(message, "delete the key; a person has tenant: and object_id:", of_key=True)
    if kind == "extra_forbidden" and len(path) == 5 and key in METHODS and (rule := meant(f"{key} {word}")):
        return _Said(f"unknown key {key!r}", f"write {rule}, without a colon", of_key=True)
    if kind == "extra_forbidden":
        # Below tokens the line may be `token: ...` with the token itself, below others `client_secret: ...`.
        message, hint = f"unknown key {redact(key)[:MAX_WORD]!r}", nearest(key[:MAX_WORD], keys(path))
        return _Said(message, hint, of_key=True, quote=path[0] == "rule_sets")
    if kind == "value_error":
        message, _, hint = str(context.get("error", details["msg"])).partition("; ")
        of_key = details["loc"][-1] == "[key]"
        return _Said(message, hint, of_key, quote=not _SECRETIVE & set(path))
    if kind == "literal_error" and "grants" in path:
        hint = nearest(given[:MAX_WORD], GRANTS) or f"one of {', '.join(GRANTS)}"
        return _Said(f"{word!r} is not a grant that can be named", hint)
    if kind == "literal_error" and key in ("version", "policy_tests"):
        return _Said("this Brickscope reads version 1 of the format", f"{key}: 1")
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        return _Said(
            f"{word!r} is no {key}", nearest(word, re.findall(r"'(\w+)'", expected)) or f"one of {expected}"
        )
    if kind == "string_pattern_mismatch" and key in _PATTERNS:
        return _Said(_PATTERNS[key], quote=key not in _SECRETIVE)
    if kind == "string_type" and isinstance(details.get("input"), list):
        return _Said("this must be one text and no list", "write an entry of its own for each")
    if kind == "too_long" and key == "fingerprint":
        return _Said(
            "a token has one fingerprint, or two while it is replaced", "delete the others", quote=False
        )
    if kind == "too_short" and key == "allow":
        return _Said("an empty allowlist allows nothing", "list calls or delete it")
    if kind == "too_short" and context.get("field_type") == "Dictionary":
        return _Said("nothing is written here", "delete the key, or say what it limits")
    message, hint = (
        text.format(key=key) for text in MESSAGES.get(kind, ("this value can't be used here", ""))
    )
    hint = _MISSING.get(key, hint) if kind == "missing" else hint
    return _Said(message, hint, of_key=kind in ("missing", "string_pattern_mismatch"))


def _keys(path: Path) -> list[str]:
    """The keys that may stand where an unknown one stands."""
    if len(path) == 5 and path[0] == "rule_sets":
        return [field.alias or name for name, field in RuleEntry.model_fields.items()]
    if len(path) == 3 and path[0] == "accept":
        return list(AcceptEntry.model_fields)
    if len(path) == 3 and path[0] in ENTRIES:
        return list(ENTRIES[str(path[0])].model_fields)
    return list(PolicyFile.model_fields)
