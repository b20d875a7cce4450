"""Audit records: their field names (defined once, here) and how untrusted text gets into them.

A record is a flat dictionary of snake_case names; ``event.yaml`` has all of them.
"""

import re
from binascii import a2b_base64
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from brickscope.core.body import Number
from brickscope.core.credential import holds_token
from brickscope.core.decision import Decision, Principal
from brickscope.core.visible import visible

from .key import DigestKey

MAX_TEXT = 2048
"""Longest text, in characters, that a client's bytes may take in a record."""
REDACTED = "[redacted]"
MAX_DECODINGS = 5

Record = dict[str, Any]

MIN_ENCODED = 32
"""Characters of base64 that 24 bytes have; no token has fewer."""
MAX_LOOKED = 16 * 1024
"""So much of a text is looked at: eight times what is written of one, so that a client can't make it costly."""
# Groups of four that stand for three bytes of ASCII, as tokens are: the first bit of each byte is 0, which other text has in
# seven groups once in two million. So nearly no text is decoded, and where it is, it is known where a group begins.
_GROUPS = r"[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_ENCODED = re.compile(f"(?:{_GROUPS}){{7,}}+")
_REST = re.compile(r"[A-Za-z0-9+/_-]{1,64}")


def printable(text: str | bytes, secrets: Iterable[bytes] = ()) -> str:
    """Untrusted text fit for a log or message: printable ASCII, clipped, without any of ``secrets``.

    Control characters and all beyond ASCII become ``\\xhh`` or ``\\uhhhh``, so that no record can forge a line, hide
    one behind terminal escapes or reorder it (bidirectional overrides). Whatever looks like a token goes too: a client
    may write its token, or somebody else's, into a path or User-Agent.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    text = visible(redacted(text, secrets)[: MAX_TEXT + 1], only_ascii=True)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def redacted(text: str, secrets: Iterable[bytes] = ()) -> str:
    """A text, as far as it is looked at, or REDACTED where that holds one of ``secrets``, or what looks like a token."""
    text = text[:MAX_LOOKED]
    if is_clean(text, secrets):
        return text
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
        else:
            return REDACTED  # encoded more often than anybody means
    return text


def is_clean(text: str, secrets: Iterable[bytes] = (), *, comes_again: bool = True) -> bool:
    """Whether ``printable`` would surely leave the text as it is (the common case, at a tenth of the cost). ``comes_again``:
    the same text is likely to, so that it pays to remember it."""
    for secret in secrets:
        if secret.decode("latin-1") in text:
            return False
    if not comes_again or len(text) > MAX_TEXT:
        return _is_plain(text)
    try:
        _be_plain(text)
    except _Covered:
        return False
    return True


def _is_plain(text: str) -> bool:
    """Whether a text would be written as it is, and no token, anything in base64 or behind percent-encoding could stand in
    it."""
    is_plain = len(text) <= MAX_TEXT and "%" not in text and text.isascii() and text.isprintable()
    return is_plain and not _could_hold(text)


class _Covered(Exception):
    """A text is not plain."""


@lru_cache(maxsize=512)
def _be_plain(text: str) -> None:
    """Raises _Covered for a text that is not plain. The same programs come again and again, and what raises is not
    remembered: so no secret is."""
    if not _is_plain(text):
        raise _Covered


def _could_hold(text: str) -> bool:
    found = len(text) >= MIN_ENCODED and _ENCODED.search(text)
    return bool(found) or holds_token(text)


def _holds_secret(text: str, secrets: Iterable[bytes]) -> bool:
    for secret in secrets:
        if secret.decode("latin-1") in text:
            return True
    return _could_hold(text) and (holds_token(text) or _holds_encoded(text, secrets))


def _holds_encoded(text: str, secrets: Iterable[bytes]) -> bool:
    """Whether a secret or token stands in a text in base64, in either alphabet, alone or among other bytes (``Basic``)."""
    for found in _ENCODED.finditer(text):
        start, end = found.span()
        # At its edges a group can be half another's.
        while start > max(0, found.start() - 64) and text[start - 1] in _LETTERS:
            start -= 1
        rest = _REST.match(text, end)
        run = text[start : end if rest is None else rest.end()].replace("-", "+").replace("_", "/")
        # Text that repeats itself can look so from another place too.
        for part in (run, run[1:], run[2:], run[3:]):
            # One character too many is no byte; two and three are one and two.
            padded = part[:-1] if len(part) % 4 == 1 else part + "=" * (-len(part) % 4)
            decoded = a2b_base64(padded)
            if any(secret in decoded for secret in secrets) or holds_token(decoded.decode("latin-1")):
                return True
    return False


def decision_fields(decision: Decision) -> Record:
    """The fields of a record that say what was decided."""
    return {
        "decision": "allow" if decision.allow else "deny",
        "enforced": decision.enforced,
        "mode": decision.mode,
        "reason": decision.reason._value_,
        "detail": redacted(decision.detail),
        "subject": decision.subject,
        "fingerprint": decision.fingerprint,
        "rule_set": decision.rule_set,
        "rule": decision.rule,
        "policy_revision": decision.policy_revision,
        "operation": decision.operation,
    }


def decision_record(
    decision: Decision,
    decision_id: str,
    client_address: str,
    *,
    host: str,
    method: str,
    path: str,
    workspace: str | None,
    has_body: bool | None,
    user_agent: str,
    secrets: tuple[bytes, ...],
    key: DigestKey,
    sent: str | None = None,
) -> Record:
    """The record of a decision on a call. What was asked has to be fit for it already (``printable``), and the detail, which
    may name a claim or a header (``redacted``). ``sent``: the fingerprint of the credential that goes out in the place of a
    placeholder."""
    params, names, principal = decision.params, decision.names, decision.principal
    home = decision.host_workspace
    # In the order of their names, with room for what the writer adds: to sort them would cost more than to write them.
    found: Record = {
        "client_address": client_address,
        "decision": "allow" if decision.allow else "deny",
        "decision_id": decision_id,
        "detail": decision.detail,
        "enforced": decision.enforced,
        "event": "decision",
        "fingerprint": decision.fingerprint,
        "grant": decision.grant,
        "has_body": has_body,
        "host_workspace": None if home is None else printable(home)[:20],
        "instance": None,
        "method": method,
        "mode": decision.mode,
        "operation": decision.operation,
        "param_names": None if names is None else _names(names, secrets, key),
        "params": _parameters(params, secrets, key) if params else {},
        "path": path,
        "policy_revision": decision.policy_revision,
        "prev_hash": None,
        "principal": None if principal is None else _principal(principal),
        "reason": decision.reason._value_,
        "rule": decision.rule,
        "rule_set": decision.rule_set,
        "schema": None,
        "seq": None,
        "server_address": host,
        "subject": decision.subject,
        "time": None,
        "user_agent": user_agent,
        "workspace": workspace,
    }
    # The exceptions stand there only where they apply: they would double the fields of every record.
    if decision.sent:
        found["params_sent"] = _parameters(decision.sent, secrets, key)
    if decision.readings is not None:
        found["readings"] = list(decision.readings)
    if decision.batch is not None:
        found["batch"] = list(decision.batch)
    if decision.credential is not None:
        found["credential"] = decision.credential
    if sent is not None:
        found["credential_fingerprint"] = sent
    return found


def _parameters(params: Mapping[str, Any], secrets: tuple[bytes, ...], key: DigestKey) -> Record:
    return {name: _parameter(value, secrets, key) for name, value in params.items()}


def _names(names: Collection[str], secrets: tuple[bytes, ...], key: DigestKey) -> list[str]:
    if len(names) > MAX_NAMES:
        return [f"hmac_sha256:{key.digest(repr(sorted(names)))}"]
    return sorted([_parameter_name(name, secrets, key) for name in names])


def _principal(principal: Principal) -> Record:
    return {
        field: None if text is None else printable(text)
        for field, text in principal._asdict().items()
        if text is not None or field not in _OF_ENTRA
    }


_OF_ENTRA = ("tenant", "object_id", "azure_resource")
MAX_PARAMETER = 256
MAX_ELEMENTS = 20
MAX_NAMES = 100
"""Most names of parameters, or keys of an object, that a record takes; no operation has so many."""
SAFE_INTEGER = 2**53
"""Integers beyond are written as text: readers of JSON may round them (RFC 8259 section 6)."""


def _parameter(value: Any, secrets: tuple[bytes, ...], key: DigestKey) -> Any:
    """A value as it goes into a record. What could not be read back exactly has a digest of all of it, so that two of
    them can be compared, and one that is known be recognised."""
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < SAFE_INTEGER):
        return value
    if isinstance(value, list):
        if len(value) <= MAX_ELEMENTS:
            # A list in a list meets no test; what is in it is no matter, and could be a million texts.
            return [[] if isinstance(each, list) else _parameter(each, secrets, key) for each in value]
        return {"elements": len(value), "hmac_sha256": key.digest(repr(value))}
    if isinstance(value, Mapping):
        if len(value) > MAX_NAMES:
            return {"elements": len(value), "hmac_sha256": key.digest(repr(sorted(map(str, value))))}
        return {"keys": sorted(_parameter_name(str(name), secrets, key) for name in value)}
    if isinstance(value, Number):
        return {"number": printable(str(value))[:MAX_PARAMETER]}
    return _text(str(value), secrets, key)


def _text(text: str, secrets: tuple[bytes, ...], key: DigestKey) -> Any:
    # Eight times what is written of it, as elsewhere, and so much more that a secret which begins there is seen whole.
    shown = printable(text[: MAX_TEXT + 3 * max(map(len, secrets), default=0)], secrets)
    if shown == text and len(text) <= MAX_PARAMETER:
        return text
    if shown == REDACTED:
        return {"hmac_sha256": key.digest(text)}
    return {"text": shown[:MAX_PARAMETER], "hmac_sha256": key.digest(text)}


def _parameter_name(name: str, secrets: Iterable[bytes], key: DigestKey) -> str:
    if len(name) <= MAX_PARAMETER and printable(name, secrets) == name:
        return name
    return f"hmac_sha256:{key.digest(name)}"
