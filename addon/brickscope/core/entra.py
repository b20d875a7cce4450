"""Microsoft Entra ID: its issuers, and whose a token is by its claims.

An identity is a tenant and an object id in it. Names that people read (a UPN, an e-mail address) are given to somebody else
when their owner leaves, so no decision looks at one. What claims mean: learn.microsoft.com/entra/identity-platform,
"Access token claims reference" and "Access tokens".
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .decision import Refused
from .hostname import host_of
from .reason import Reason

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""As Entra ID writes every id in a token: lower-case."""
RESOURCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""Azure Databricks as an application: ``aud`` of the tokens for it, the same in every cloud (databricks-sdk environments.py,
``ARM_DATABRICKS_RESOURCE_ID``). A token for anything else was not meant for a workspace."""
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts: anybody can have one."""


class Cloud(NamedTuple):
    """Where the tokens of one Azure cloud come from, and where they count.

    ``sts``: host of v1 issuers. ``login``: host of v2 issuers, and of the keys of both. ``zone``: below it are Databricks'
    hosts. ``management``: ``aud`` of tokens for Azure's own management.
    """

    sts: str
    login: str
    zone: str
    management: tuple[str, ...]


def _cloud(sts: str, login: str, zone: str, *management: str) -> Cloud:
    # A client may ask for a resource with or without its slash, and gets what it asked for as `aud`.
    return Cloud(sts, login, zone, tuple(f"https://{host}{end}" for host in management for end in ("/", "")))


CLOUDS: Mapping[str, Cloud] = {
    "public": _cloud(
        "sts.windows.net",
        "login.microsoftonline.com",
        "azuredatabricks.net",
        "management.core.windows.net",
        "management.azure.com",
    ),
    "us_government": _cloud(
        "sts.windows.net",
        "login.microsoftonline.us",
        "databricks.azure.us",
        "management.core.usgovcloudapi.net",
        "management.usgovcloudapi.net",
    ),
    "china": _cloud(
        "sts.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
        "databricks.azure.cn",
        "management.core.chinacloudapi.cn",
        "management.chinacloudapi.cn",
    ),
}
"""All there are. ``login``: learn.microsoft.com/entra/identity-platform/authentication-national-cloud. ``sts``: the tokens
shown in "Access tokens" there; for the national clouds learn.microsoft.com/answers/questions/1190472. ``zone`` and
``management``: databricks-sdk environments.py (``ALL_ENVS``, ``ENVIRONMENTS``)."""

_STS = frozenset(cloud.sts for cloud in CLOUDS.values())
_LOGIN = frozenset(cloud.login for cloud in CLOUDS.values())
_V1 = re.compile(rf"https://([a-z.]+)/({GUID.pattern})/")
_V2 = re.compile(rf"https://([a-z.]+)/({GUID.pattern})/v2\.0")
_PERSON = ("upn", "unique_name", "preferred_username", "email")


class Authority(NamedTuple):
    """Who an issuer of Entra ID is: a tenant, and the version of its tokens (``ver``)."""

    tenant: str
    version: str


def read_authority(issuer: str) -> Authority | None:
    """The tenant behind an issuer, which has to be written just as Entra ID writes it; None for any other issuer."""
    if (found := _V1.fullmatch(issuer)) and found[1] in _STS:
        return Authority(found[2], "1.0")
    if (found := _V2.fullmatch(issuer)) and found[1] in _LOGIN:
        return Authority(found[2], "2.0")
    return None


def is_entra(url: str) -> bool:
    """Whether a URL is on one of the hosts of Entra ID, however its path is written."""
    host = host_of(url)
    return host in _STS or host in _LOGIN or host in ("login.windows.net", "login.chinacloudapi.cn")


def issuers_of(cloud: Cloud, tenant: str) -> list[tuple[str, str]]:
    """The two issuers of a tenant, each with the place of its keys, which no token and no metadata can change."""
    keys = f"https://{cloud.login}/{tenant}/discovery"
    return [
        (f"https://{cloud.sts}/{tenant}/", f"{keys}/keys"),
        (f"https://{cloud.login}/{tenant}/v2.0", f"{keys}/v2.0/keys"),
    ]


class Identity(NamedTuple):
    """Whose a token is. ``application_id``: of the client that got it. ``sub`` equals ``object_id`` exactly where the token
    is the application's own; otherwise it is a person's, whom the application acts for."""

    object_id: str
    application_id: str
    sub: str


def read_identity(claims: Mapping[str, Any], authority: Authority) -> Identity:
    """Whose a token of ``authority`` is. Raises Refused: MALFORMED_TOKEN where an id is missing or none, AMBIGUOUS_PRINCIPAL
    where the claims do not agree on the tenant, or on whether an application acts for itself or for a person.
    """
    # A tenant that could make its tokens say another one's `tid` would be that one to whoever reads only this.
    if claims.get("tid") != authority.tenant:
        raise _ambiguous("its tid is not the tenant of its issuer")
    if claims.get("ver") != authority.version:
        raise _ambiguous(f"its ver is not that of its issuer, {authority.version}")
    name, other = ("appid", "azp") if authority.version == "1.0" else ("azp", "appid")
    if other in claims:
        raise _ambiguous(f"it has {other}, which its version does not have")
    object_id, application_id = _guid(claims, "oid"), _guid(claims, name)
    sub, kind = claims.get("sub"), claims.get("idtyp")
    if not isinstance(sub, str):
        raise Refused(
            Reason.MALFORMED_TOKEN, "the bearer token is not a regular token of Entra ID: it has no sub"
        )
    if "scp" in claims:
        # Delegated: only user tokens have scopes. The application may be anybody's, so it gives no right.
        scopes = claims["scp"]
        if not isinstance(scopes, str) or not scopes.strip():
            raise _ambiguous("it has scp without a scope")
        if ("idtyp" in claims and kind != "user") or sub == object_id:
            raise _ambiguous("it has scopes like a person's token, but says that it is an application's")
    else:
        if ("idtyp" in claims and kind != "app") or any(each in claims for each in _PERSON):
            raise _ambiguous("it has no scopes, but says that it is a person's")
        if sub != object_id:
            raise _ambiguous("it has no scopes, but its sub is not its oid")
    return Identity(object_id, application_id, sub)


def _guid(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not GUID.fullmatch(value):
        raise Refused(
            Reason.MALFORMED_TOKEN,
            f"the bearer token is not a regular token of Entra ID: its {name} is not a GUID",
        )
    return value


def _ambiguous(why: str) -> Refused:
    return Refused(Reason.AMBIGUOUS_PRINCIPAL, f"the token of Entra ID does not identify one subject: {why}")
