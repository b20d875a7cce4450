"""Whose tokens count where: an issuer is bound to the host that its token is used on."""

import re
from typing import NamedTuple

from .decision import Refused
from .entra import read_authority
from .hostname import is_app
from .jwt_token import Claims
from .key import KeySet
from .policy import SAME_HOST, Principals
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
    else counts there is named in the policy. Raises Refused(WRONG_ISSUER or WRONG_TENANT).
    """
    named = principals.issuers.get(issuer)
    if named is not None:
        if not named.hosts.match(host):
            raise Refused(Reason.WRONG_ISSUER, f"tokens of this issuer are not accepted on {host}")
        return KeySource(named.keys_url or f"{issuer.rstrip('/')}/jwks.json", named.keys)
    own = f"https://{host}/oidc"
    # An app's host says what its makers want, keys too.
    if not is_app(host) and (issuer == own or (issuer.startswith(own) and _ACCOUNT.match(issuer, len(own)))):
        return KeySource(f"{issuer}/jwks.json")
    authority = read_authority(issuer)
    if authority is not None:
        raise Refused(
            Reason.WRONG_TENANT,
            f"the token was issued by the tenant {authority.tenant} of Entra ID, which the policy does not name",
        )
    raise Refused(
        Reason.WRONG_ISSUER, f"the token's issuer is not {host}, nor one that the policy names for it"
    )


def check_audience(principals: Principals, claims: Claims, host: str, *, management: bool = False) -> None:
    """Refuse a token that was made for somebody else, who could have sent it on to us.

    ``management``: it comes beside the bearer, for the management of Azure. Raises Refused(WRONG_AUDIENCE).
    """
    named = principals.issuers.get(claims.issuer)
    if management:
        if named is None or claims.audience not in named.management:
            raise Refused(
                Reason.WRONG_AUDIENCE, "the token's audience is not the management API of its Azure cloud"
            )
    elif named is not None and named.audience is not None:
        wanted = f"https://{host}" if named.audience == SAME_HOST else named.audience
        if claims.audience != wanted:
            raise Refused(Reason.WRONG_AUDIENCE, f"the token's aud is not {wanted}, as required")
