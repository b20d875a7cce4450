"""OAuth tokens as literals: one key pair, good claims, and how they become a token."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core.wire import HOST

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
KID = "key-1"
ISSUER = f"https://{HOST}/oidc"
CLIENT_ID = "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e"
NOW = 1_800_000_000.0
CLAIMS = {"iss": ISSUER, "client_id": CLIENT_ID, "sub": CLIENT_ID, "iat": NOW - 10, "exp": NOW + 3600}


def jwk(kid: str = KID, key: Any = RSA_KEY, **more: Any) -> dict[str, Any]:
    """The public key as an entry of a key set."""
    kind = (
        jwt.algorithms.ECAlgorithm
        if isinstance(key, ec.EllipticCurvePrivateKey)
        else jwt.algorithms.RSAAlgorithm
    )
    return {"kid": kid, "use": "sig", **kind.to_jwk(key.public_key(), as_dict=True), **more}


def key_set(*keys: dict[str, Any]) -> bytes:
    """A key set; without arguments one with ``RSA_KEY``."""
    return json.dumps({"keys": list(keys) or [jwk()]}).encode()


def signed(
    claims: dict[str, Any] | None = None, *, kid: str = KID, key: Any = RSA_KEY, **replaced: Any
) -> bytes:
    """A token. ``replaced``: claims that differ from ``CLAIMS``."""
    algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
    content = {**(CLAIMS if claims is None else claims), **replaced}
    return jwt.encode(content, key, algorithm, {"kid": kid, "typ": "at+jwt"}).encode()


def b64(text: str | bytes) -> bytes:
    """base64url without padding."""
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).rstrip(b"=")


def unsigned(header: str, payload: str = json.dumps(CLAIMS), signature: bytes = b"c2lnbmF0dXJl") -> bytes:
    """A token of exactly these texts, with a signature that is none."""
    return b".".join((b64(header), b64(payload), signature))
