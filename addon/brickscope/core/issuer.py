"""Whose tokens count where: an issuer is bound to the host that its token is used on."""

from __future__ import annotations

import re
from typing import NamedTuple

from .decision import Refused
from .hostname import is_app
from .key import KeySet
from .policy import Principals
from .reason import Reason

# docs: https://accounts.../oidc/accounts/<account id>; databricks-sdk oauth.py get_account_endpoints
_ACCOUNT = re.compile(r"/accounts/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def is_shared(principals: Principals, issuer: str) -> bool:
    """Whether an issuer is an account that the policy does not name. Everybody's accounts are on one host, and each may
    have a user of any name; the ids of service principals are Databricks' own."""
    return "/oidc/accounts/" in issuer and issuer not in principals.issuers


class KeySource(NamedTuple):
    """Where the keys of an issuer are: at ``url``, or, given by the operator, in ``keys``."""

    url: str
    keys: KeySet | None = None


def key_source(principals: Principals, issuer: str, host: str) -> KeySource:
    """Where to find the keys for a token by ``issuer`` that is used on ``host``.

    A host vouches for itself: ``https://HOST/oidc``, and on account hosts ``https://HOST/oidc/accounts/ID``. Whoever
    else counts there is named in the policy. Raises Refused(WRONG_ISSUER).
    """
    named = principals.issuers.get(issuer)
    if named is not None:
        if not named.hosts.match(host):
            raise Refused(Reason.WRONG_ISSUER, f"tokens of the token's issuer do not count on {host}")
        return KeySource(named.keys_url or f"{issuer}/jwks.json", named.keys)
    own = f"https://{host}/oidc"
    # An app's host says what its makers want, keys too.
    if not is_app(host) and (issuer == own or (issuer.startswith(own) and _ACCOUNT.match(issuer, len(own)))):
        return KeySource(f"{issuer}/jwks.json")
    raise Refused(
        Reason.WRONG_ISSUER, f"the token's issuer is not {host}, nor one that the policy names for it"
    )
