"""Audit records: their field names (defined once, here) and how untrusted text gets into them.

A record is a flat dictionary of snake_case names. ``SCHEMA`` names the version of this list; fields are only ever
added within a version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from brickscope.core.credential import holds_token
from brickscope.core.decision import Decision

SCHEMA = 1
MAX_TEXT = 2048
"""Longest text, in characters, that a client's bytes may take in a record."""
REDACTED = "[redacted]"
MAX_DECODINGS = 5

Record = dict[str, Any]

_UNPRINTABLE = re.compile(r"[^ -~]")


def printable(text: str | bytes, secrets: Iterable[bytes] = ()) -> str:
    """Untrusted text fit for a log or message: printable ASCII, clipped, without any of ``secrets``.

    Control characters and all beyond ASCII become ``\\xhh`` or ``\\uhhhh``, so that no record can forge a line, hide
    one behind terminal escapes or reorder it (bidirectional overrides). Whatever looks like a token goes too: a client
    may write its token, or somebody else's, into a path or User-Agent.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if _holds_secret(text, secrets):
        return REDACTED
    if "%" in text:
        # A secret behind percent-encoding, once or many times, is no safer than the secret.
        decoded = text
        for _ in range(MAX_DECODINGS):
            plain = unquote(decoded, encoding="latin-1")
            if plain == decoded:
                break
            decoded = plain
            if _holds_secret(decoded, secrets):
                return REDACTED
    text = text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub(_escape, text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def is_clean(text: str, secrets: Iterable[bytes] = ()) -> bool:
    """Whether ``printable`` would leave the text as it is (the common case, at a tenth of the cost)."""
    if "%" in text or len(text) > MAX_TEXT or not (text.isascii() and text.isprintable()):
        return False
    return not _holds_secret(text, secrets)


def _holds_secret(text: str, secrets: Iterable[bytes]) -> bool:
    for secret in secrets:
        if secret.decode("latin-1") in text:
            return True
    return holds_token(text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def decision_fields(decision: Decision) -> Record:
    """The fields of a record that say what was decided."""
    return {
        "decision": "allow" if decision.allow else "deny",
        "enforced": decision.enforced,
        "mode": decision.mode,
        "reason": decision.reason._value_,
        "detail": decision.detail,
        "subject": decision.subject,
        "fingerprint": decision.fingerprint,
        "rule_set": decision.rule_set,
        "rule": decision.rule,
        "policy_revision": decision.policy_revision,
        "operation": decision.operation,
    }


MAX_PARAMETER = 256
MAX_ELEMENTS = 20


def params_field(params: Mapping[str, Any], secrets: Iterable[bytes] = ()) -> Record:
    """The parameters that a rule looked at, as they go into a record: text made printable and clipped, lists shortened,
    objects as the names of their keys."""
    return {name: _parameter(value, tuple(secrets)) for name, value in params.items()}


def _parameter(value: Any, secrets: tuple[bytes, ...]) -> Any:
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, list):
        shown = [_parameter(each, secrets) for each in value[:MAX_ELEMENTS]]
        return shown if len(value) <= MAX_ELEMENTS else [*shown, "..."]
    if isinstance(value, Mapping):
        return {"keys": [_parameter(str(key), secrets) for key in list(value)[:MAX_ELEMENTS]]}
    return printable(str(value), secrets)[:MAX_PARAMETER]
