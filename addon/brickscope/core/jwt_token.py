"""An OAuth access token as text: a JSON Web Token (RFC 7519, RFC 9068) read strictly, before anything is believed.

What is read here is exactly what the signature covers. Anything that two readers could read in two ways (a member
twice, base64 with spare bits, numbers as text) is refused, whoever signed it.
"""

import binascii
import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NamedTuple

from .decision import Refused
from .entra import read_authority, read_identity
from .key import ALGORITHMS
from .reason import Reason

MAX_NAME = 512
"""Longest issuer, subject, client id or key id, in characters."""

# RFC 7515 section 4.1: a key or a place to find one, brought by the token itself; `crit` and `b64` change the reading.
_OWN_KEY = ("jwk", "jku", "x5u", "x5c")
_CHANGES_READING = ("crit", "b64", "zip", "enc", "cty")
GOOGLE_ACCESS = b"ya29."
"""What an access token of Google begins with, which is opaque (cloud.google.com/docs/authentication/token-types)."""
LIVES_AN_HOUR = "an OAuth token is identified by its claims, not by its fingerprint, which changes every hour"
"""What to say of one instead of its fingerprint."""
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt", "application/jwt")


class Claims(NamedTuple):
    """What a token says about itself. Worth nothing until its signature is checked.

    ``issuer``, ``key_id``: who is said to have signed, with which key. ``client_id``, ``sub``: for which client and on
    whose behalf; at least one is there. ``expires``, ``begins``: seconds since the epoch. ``audience``: for whom, where
    that is one name. ``tenant``, ``object_id``: of a token of Entra ID, whose ``client_id`` is the application id.
    """

    issuer: str
    key_id: str
    algorithm: str
    client_id: str | None
    sub: str | None
    expires: float
    begins: float
    audience: str | None = None
    tenant: str | None = None
    object_id: str | None = None


def is_jwt(token: bytes) -> bool:
    """Whether a bearer is to be read as a JWT: three parts, or the beginning of every JSON header in base64."""
    return token.startswith(b"eyJ") or (token.count(b".") == 2 and not token.startswith(GOOGLE_ACCESS))


def is_oauth(token: bytes) -> bool:
    """Whether a bearer is an OAuth token, which lives for an hour: a JWT, or an opaque one of Google."""
    return is_jwt(token) or token.startswith(GOOGLE_ACCESS)


def read_claims(token: bytes) -> Claims:
    """Read a JWT. Raises Refused: MALFORMED_TOKEN, ALGORITHM_REFUSED, UNKNOWN_KEY (it names none) or AMBIGUOUS_PRINCIPAL.

    No detail holds any part of the token.
    """
    parts = token.split(b".")
    if len(parts) != 3:
        raise _malformed("it does not have three parts")
    header, claims = _object(parts[0], "header"), _object(parts[1], "payload")
    _decode(parts[2], "signature")
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise Refused(
            Reason.ALGORITHM_REFUSED,
            f"the token's algorithm is not {' or '.join(ALGORITHMS)}",
        )
    if any(name in header for name in _OWN_KEY):
        raise Refused(Reason.ALGORITHM_REFUSED, "the token contains its own key")
    kind = header.get("typ")
    if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES or any(
        name in header for name in _CHANGES_READING
    ):
        raise _malformed("its header has fields that change how it is read")
    client_id, sub = _name(claims, "client_id"), _name(claims, "sub")
    issuer, key_id = _name(claims, "iss"), _name(header, "kid")
    if issuer is None:
        raise _malformed("it names no issuer")
    if client_id is None and sub is None:
        raise _malformed("it names neither a client nor a subject")
    expires = _time(claims, "exp")
    if expires is None:
        raise _malformed("it has no expiry time")
    if key_id is None:
        raise Refused(Reason.UNKNOWN_KEY, "the token does not say which key signed it")
    begins = max(_time(claims, "nbf") or 0.0, _time(claims, "iat") or 0.0)
    audience = claims.get("aud")
    found = Claims(
        issuer,
        key_id,
        algorithm,
        client_id,
        sub,
        expires,
        begins,
        audience if isinstance(audience, str) else None,
    )
    authority = read_authority(issuer)
    if authority is None:
        return found
    identity = read_identity(claims, authority)
    return found._replace(
        client_id=identity.application_id, tenant=authority.tenant, object_id=identity.object_id
    )


def _malformed(why: str) -> Refused:
    return Refused(Reason.MALFORMED_TOKEN, f"the bearer token is not a regular JSON Web Token: {why}")


def _decode(part: bytes, what: str) -> bytes:
    try:
        raw = urlsafe_b64decode(part + b"==")
    except (binascii.Error, ValueError):
        raw = b""
    # RFC 7515 section 2: no padding, nothing else. Re-encoding shows spare bits and skipped characters.
    if not raw or urlsafe_b64encode(raw).rstrip(b"=") != part:
        raise _malformed(f"its {what} is not canonical base64url")
    return raw


def _object(part: bytes, what: str) -> dict[str, Any]:
    raw = _decode(part, what)
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _malformed(f"its {what} is not strict JSON") from None
    if not isinstance(found, dict):
        raise _malformed(f"its {what} is not a JSON object")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError  # a member twice, RFC 7519 section 4: readers that take the last one disagree with others
    return found


def _refuse_constant(text: str) -> Any:
    raise ValueError(text)


def _name(holder: dict[str, Any], key: str) -> str | None:
    value = holder.get(key)
    if value is None and key not in holder:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise _malformed(f"its {key!r} is not plain text")
    return value


def _time(claims: dict[str, Any], key: str) -> float | None:
    if key not in claims:
        return None
    value = claims[key]
    # True is a number in Python, and 1e999 is infinite: it would never expire.
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value < 1e12
        or math.isnan(value)
    ):
        raise _malformed(f"its {key!r} is not a time")
    return float(value)
