"""Microsoft Entra ID beside the fake workspace: its token endpoint, its keys, GitHub's tokens, and ``/aad/auth``.

Shapes by source: databricks-sdk credentials_provider.py (``azure_service_principal``, ``github_oidc_azure``) and oauth.py;
learn.microsoft.com/entra/identity-platform, "OAuth 2.0 client credentials flow" (v1: ``resource``, ``expires_on``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from .exchange import Exchange
from .replies import json_answer
from .route import Route

HOST = "adb-1234567890123456.7.azuredatabricks.net"
LOGIN = "login.microsoftonline.com"
HOSTS = ("*.7.azuredatabricks.net", LOGIN)
"""Names that the fake workspace needs a certificate for."""
TENANT = "0d26daa6-5e44-4c97-a497-ef015f91254a"
APPLICATION, OBJECT = "bbbbbbbb-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000001"
SECRET = "entra~secret~0123456789~abcdef"  # noqa: S105 - of an application that does not exist
RESOURCE_ID = (
    "/subscriptions/99999999-0000-4000-8000-000000000001/resourceGroups/data"
    "/providers/Microsoft.Databricks/workspaces/prod"
)
KID = "entra-1"


class Entra:
    """The tenant ``TENANT``. ``applications``: object ids by application id; each has the secret ``SECRET``."""

    def __init__(self, applications: Mapping[str, str]) -> None:
        self.tenant = TENANT
        self.applications = applications
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.forms: list[dict[str, str]] = []
        """The token requests that arrived."""

    @property
    def routes(self) -> Sequence[Route]:
        """What it answers."""
        base = f"/{self.tenant}".encode()
        return (
            Route((b"POST",), base + b"/oauth2/token", self._grant, anonymous=True),
            Route((b"GET",), base + b"/discovery/keys", self._keys, anonymous=True),
            Route((b"GET",), b"/github", self._github, anonymous=True),
            Route((b"GET",), b"/aad/auth", self._lookup, anonymous=True),
        )

    def sign(self, application_id: str, audience: str, **more: Any) -> str:
        """An application's own v1 token."""
        now = int(time.time())
        object_id = self.applications[application_id]
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "appid": application_id,
            "oid": object_id,
            "sub": object_id,
            "tid": self.tenant,
            "ver": "1.0",
        }
        return jwt.encode({**claims, **more}, self.key, "RS256", {"kid": KID, "typ": "JWT"})

    async def _grant(self, exchange: Exchange) -> None:
        form = dict(parse_qsl((await exchange.receive_all()).decode()))
        self.forms.append(form)
        application_id = form.get("client_id", "")
        known = form.get("client_secret") == SECRET or "client_assertion" in form
        if application_id not in self.applications or not known:
            await json_answer(exchange, 401, {"error": "invalid_client"})
            return
        token = self.sign(application_id, form["resource"])
        answer = {"token_type": "Bearer", "expires_in": 3599, "access_token": token}
        await json_answer(exchange, 200, answer)

    async def _keys(self, exchange: Exchange) -> None:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"
        await json_answer(exchange, 200, {"keys": [{"kid": KID, "use": "sig", "issuer": issuer, **public}]})

    async def _github(self, exchange: Exchange) -> None:
        await json_answer(exchange, 200, {"value": jwt.encode({"sub": "repo:x"}, "k" * 32, "HS256")})

    async def _lookup(self, exchange: Exchange) -> None:
        place = f"https://{LOGIN}/{self.tenant}/oauth2/authorize?x=1".encode()
        await exchange.answer(302, b"text/plain", b"", [(b"location", place)])


def az(tokens: Mapping[str, str]) -> str:
    """A program that stands for the Azure CLI: it prints the token of a resource. ``tokens``: by resource."""
    return f"""#!/usr/bin/env python3
import json, sys
tokens = json.loads({json.dumps(json.dumps(tokens))})
words = sys.argv[1:]
if words[:2] == ["account", "show"]:
    print(json.dumps({{"user": {{"type": "servicePrincipal", "name": "x"}}}}))
    sys.exit()
token = tokens.get(words[words.index("--resource") + 1])
if token is None:
    sys.exit("no token for it")
print(json.dumps({{"accessToken": token, "tokenType": "Bearer", "expiresOn": "2099-01-01 00:00:00.000000"}}))
"""
