"""Public keys of an issuer: a JSON Web Key Set (RFC 7517) read strictly, and the check of one signature."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .entra import GUID

ALGORITHMS = ("RS256", "ES256")
"""What Databricks signs with (RS256), and the other that it accepts of federated providers (ES256)."""

MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MIN_RSA_BITS = 2048

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_JWS = jwt.PyJWS(list(ALGORITHMS))


class KeySetError(Exception):
    """The text is no usable key set; the message says why and quotes nothing of it."""


class KeySet(NamedTuple):
    """Verification keys by ``kid``, and the SHA-256 of the text they were read from. ``tenants``: by ``kid``, which
    tenant of Entra ID alone signs with a key."""

    keys: dict[str, jwt.PyJWK]
    digest: str
    tenants: Mapping[str, str] = {}

    def is_signed(self, token: bytes, kid: str, algorithm: str, tenant: str | None = None) -> bool:
        """Whether a JWT's signature is by the key ``kid``, and the key is one for ``algorithm``.

        ``tenant``: whose token it says it is. KeyError where there is no such key: look first.
        """
        key = self.keys[kid]
        if tenant is not None and self.tenants.get(kid, tenant) != tenant:
            return False
        if key.algorithm_name != algorithm:
            return False  # an RSA key taken for another algorithm's is the classic confusion (RFC 8725 section 3.1)
        try:
            _JWS.decode_complete(token, key, algorithms=[algorithm])
        except jwt.PyJWTError:
            return False
        return True


def read_key_set(raw: bytes) -> KeySet:
    """Read a key set. Keys that sign nothing here (other types, uses, algorithms, weak ones) are left out.

    Raises KeySetError: no JSON, no keys that can be used, two keys of one name, or private keys.
    """
    if len(raw) > MAX_BYTES:
        raise KeySetError(f"it has more than {MAX_BYTES // 1024} KiB")
    try:
        found: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise KeySetError("it is not JSON") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise KeySetError(f"it is not a JSON Web Key Set with at most {MAX_KEYS} keys")
    keys: dict[str, jwt.PyJWK] = {}
    tenants: dict[str, str] = {}
    for entry in listed:
        if isinstance(entry, dict) and any(part in entry for part in _PRIVATE):
            raise KeySetError("it holds a private or symmetric key; whoever has it can make tokens")
        key = _read_key(entry)
        if key is None or not key.key_id:
            continue
        if key.key_id in keys:
            raise KeySetError("two of its keys have the same kid")
        keys[key.key_id] = key
        # learn.microsoft.com/entra/identity-platform/access-tokens, "Validate the issuer": a key may name the one tenant
        # that it is for (that of all personal accounts has keys of its own), or `{tenantid}` for all.
        if found_guid := GUID.search(str(entry.get("issuer"))):
            tenants[key.key_id] = found_guid[0]
    if not keys:
        raise KeySetError(f"it has no key with a kid for {' or '.join(ALGORITHMS)}")
    return KeySet(keys, sha256(raw).hexdigest(), tenants)


def _read_key(entry: Any) -> jwt.PyJWK | None:
    """One verification key; None for what is not used here."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    operations = entry.get("key_ops")
    if entry.get("use") not in (None, "sig") or (isinstance(operations, list) and "verify" not in operations):
        return None
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if key.algorithm_name not in ALGORITHMS:
        return None
    inner = key.key
    if isinstance(inner, RSAPublicKey):
        return key if inner.key_size >= MIN_RSA_BITS else None
    return key if isinstance(inner, EllipticCurvePublicKey) else None
