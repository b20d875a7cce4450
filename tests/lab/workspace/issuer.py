"""A token issuer like a workspace's: RS256 keys that rotate, access tokens as Databricks writes them, and its grants.

Shapes by source: ``../shared/databricks.md`` section 1.3 (header ``at+jwt``, claims ``client_id``, ``scope``, ``iss``,
``aud``, ``sub``, ``iat``, ``exp``, ``jti``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

WORKSPACE_ID = "1234567890123456"
CLIENT_ID = "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e"
INGEST_ID = "9c41d7a2-0000-4000-8000-5e6f70819233"
"""Another service principal, of the same secret."""
CLIENT_SECRET = "dose00112233445566778899aabbccddeeff"  # noqa: S105 - of a workspace that does not exist
USER = "alice@example.com"
PUBLIC_CLIENT = "databricks-cli"
LIFETIME_S = 3600


class OAuthError(Exception):
    """A token request that is refused: an error code of RFC 6749 section 5.2 and a sentence."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


class TokenIssuer:
    """Signs tokens. Thread-safe. ``clients``: secrets by client id; ``lifetime``: of new tokens, in seconds."""

    def __init__(self) -> None:
        self.clients: dict[str, str] = {CLIENT_ID: CLIENT_SECRET, INGEST_ID: CLIENT_SECRET}
        self.lifetime: float = LIFETIME_S
        self.requests: list[dict[str, str]] = []
        """The forms of all token requests that arrived."""
        self.workspace_id: str | None = WORKSPACE_ID
        """What the host says its one workspace is; None for a host of several."""
        self.available = True
        """Whether the key set can be had; else 503."""
        self.silent = False
        """While true, who asks for the key set waits."""
        self.bearers: set[str] | None = None
        """The tokens that count; None: any does. Those that are given out are added."""
        self._lock = threading.RLock()
        self._keys: list[tuple[str, rsa.RSAPrivateKey]] = []
        self._codes: dict[str, tuple[str, str]] = {}
        self._refresh_tokens: dict[str, str] = {}

    # -- keys --------------------------------------------------------------------------------------------------

    @property
    def key(self) -> tuple[str, rsa.RSAPrivateKey]:
        """The id and private key that sign now; made on first use."""
        with self._lock:
            if not self._keys:
                self.rotate()
            return self._keys[-1]

    def rotate(self, *, withdraw: bool = False) -> None:
        """Sign with a new key from now on. ``withdraw``: publish the older ones no longer."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        with self._lock:
            self._keys = [*([] if withdraw else self._keys), (secrets.token_hex(32), key)]

    def key_set(self) -> dict[str, Any]:
        """The public keys, as ``/oidc/jwks.json`` gives them."""
        with self._lock:
            assert self.key
            return {
                "keys": [
                    {
                        "kid": kid,
                        "use": "sig",
                        "alg": "RS256",
                        **jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                    }
                    for kid, key in self._keys
                ]
            }

    # -- tokens ------------------------------------------------------------------------------------------------

    def sign(
        self,
        claims: dict[str, Any],
        header: dict[str, Any] | None = None,
        key: Any = None,
        algorithm: str = "RS256",
    ) -> str:
        """A token with exactly these claims, by the present key unless another one is given."""
        kid, present = self.key
        return jwt.encode(
            claims,
            present if key is None else key,
            algorithm=algorithm,
            headers={"kid": kid, "typ": "at+jwt", **(header or {})},
        )

    def claims(self, issuer: str, client_id: str, sub: str, **more: Any) -> dict[str, Any]:
        """The claims of an access token that is issued now; ``more`` replaces them."""
        now = int(time.time())
        return {
            "client_id": client_id,
            "scope": "all-apis",
            "iss": issuer,
            "aud": WORKSPACE_ID,
            "sub": sub,
            "iat": now,
            "exp": now + self.lifetime,
            "jti": str(uuid.uuid4()),
        } | more

    def login(self, user: str = USER, *, challenge: str = "") -> tuple[str, str]:
        """What a finished browser login leaves behind: a code for this PKCE challenge, and a refresh token."""
        code, refresh = secrets.token_hex(16), f"doau{secrets.token_hex(16)}"
        with self._lock:
            self._codes[code] = (user, challenge)
            self._refresh_tokens[refresh] = user
        return code, refresh

    # -- the token endpoint ------------------------------------------------------------------------------------

    def grant(self, issuer: str, form: dict[str, str], basic: tuple[str, str] | None) -> dict[str, Any]:
        """Answer a token request. Raises OAuthError."""
        with self._lock:
            self.requests.append(form)
        client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        match form.get("grant_type"):
            case "client_credentials":
                if not secret or self.clients.get(client_id) != secret:
                    raise OAuthError("invalid_client", "Client authentication failed")
                return self._answer(issuer, client_id, client_id)
            case "refresh_token":
                user = self._refresh_tokens.pop(form.get("refresh_token", ""), None)
                if user is None:
                    raise OAuthError("invalid_grant", "Refresh token is invalid")
                return self._answer(issuer, client_id, user, refresh=True)
            case "authorization_code":
                user, challenge = self._codes.pop(form.get("code", ""), (None, ""))
                digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
                if user is None or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
                    raise OAuthError("invalid_grant", "The code or its verifier is invalid")
                return self._answer(issuer, client_id, user, refresh=True)
            case "urn:ietf:params:oauth:grant-type:token-exchange":
                # A real workspace holds the token against its federation policies; here whoever it names is let in.
                payload = form.get("subject_token", "").split(".")[1:2] or [""]
                named = json.loads(base64.urlsafe_b64decode(payload[0] + "=="))
                return self._answer(issuer, client_id or "federation", client_id or named["sub"])
        raise OAuthError("unsupported_grant_type", "Grant type is not supported")

    def _answer(self, issuer: str, client_id: str, sub: str, *, refresh: bool = False) -> dict[str, Any]:
        token = self.sign(self.claims(issuer, client_id, sub))
        answer = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self.lifetime),
            "scope": "all-apis",
        }
        if refresh:
            answer["refresh_token"] = self.login(sub)[1]
        return answer
