"""Tokens of service principals, asked for with their secret (RFC 6749 section 4.4).

Databricks: databricks-sdk oauth.py (``/oidc/v1/token`` of the workspace, scope ``all-apis``, client by Basic). Azure:
learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, for the application Azure Databricks.
"""

import json
from base64 import b64encode
from collections.abc import Awaitable
from typing import Protocol
from urllib.parse import urlencode

from brickscope.core.entrusted import Entrusted, Kind

from .fetch import FetchError
from .source import is_secret

AZURE_DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
MAX_LIFE = 24 * 3600


class Post(Protocol):
    """Sends a form (``Fetcher.post``)."""

    def __call__(self, url: str, form: bytes, authorization: bytes | None = None) -> Awaitable[bytes]:
        """The answer's body. Raises FetchError."""
        ...


async def mint(entrusted: Entrusted, host: str, secret: bytes, post: Post) -> tuple[bytes, float]:
    """A token for calls to ``host``, and for how many seconds it is good. Raises FetchError, which quotes nothing of the
    answer."""
    if entrusted.kind is Kind.AZURE:
        url = f"https://{entrusted.login}/{entrusted.tenant}/oauth2/v2.0/token"
        fields = {
            "grant_type": "client_credentials",
            "client_id": entrusted.client_id,
            "client_secret": secret.decode("ascii"),
            "scope": f"{AZURE_DATABRICKS}/.default",
        }
        content = await post(url, urlencode(fields).encode())
    else:
        pair = entrusted.client_id.encode() + b":" + secret
        form = urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
        content = await post(f"https://{host}/oidc/v1/token", form, b"Basic " + b64encode(pair))
    try:
        answer = json.loads(content)
        token, life = str(answer["access_token"]).encode("ascii"), answer["expires_in"]
    except (ValueError, LookupError, TypeError, RecursionError):
        token, life = b"", 0
    if isinstance(life, str) and life.isdigit():
        life = int(life[:9])
    if isinstance(life, bool) or not isinstance(life, int) or life <= 0 or not is_secret(token):
        raise FetchError("the token endpoint's answer is not a token with its lifetime")
    return token, min(life, MAX_LIFE)
