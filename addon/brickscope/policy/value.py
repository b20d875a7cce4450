"""The values that a policy file can hold, each with what is said of one that is none."""

import contextlib
import ipaddress
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from brickscope.core.credential import TOKEN_SHAPE
from brickscope.core.entra import CONSUMERS, GUID, is_entra
from brickscope.core.fingerprint import PATTERN
from brickscope.core.hostname import HostPatterns, is_hostname
from brickscope.core.management import RESOURCE_ID

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_HEX = re.compile(r"(?:sha256:)?([0-9A-Fa-f]{64})\Z")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATE = re.compile(_DAY)
# RFC 3339 section 5.6; the zone apart, to tell whoever forgot it.
_TIMESTAMP = re.compile(
    rf"{_DAY}[Tt ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]+)?([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?"
)
_MASK = re.compile(r"/[0-9]+\.")
_CHOSEN = re.compile(r"([^?]+)\?o=[0-9]{1,20}")
_URL_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_MANY_TENANTS = ("common", "organizations", "consumers")
# What databricks-sdk calls Google's (google-id): https://accounts.google.com/.well-known/openid-configuration.
GOOGLE = "https://accounts.google.com"
MAX_FINGERPRINTS = 2


T = TypeVar("T")


def _given(value: Any) -> Any:
    # A binding whose entries were all commented out reads as null. Taken for "not bound", it would let the token be
    # used from anywhere.
    if value is None:
        raise ValueError("the key has no value; write one or delete the key")
    return value


Given = Annotated[T | None, BeforeValidator(_given)]
"""What may be left out; written, it has a value."""
Some = Annotated[list[T], Field(min_length=1)]
"""One or more."""


def _fingerprint(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a fingerprint is sha256: and 64 hex digits; run 'brickscope fingerprint'")
    if PATTERN.fullmatch(value):
        return value
    if found := _HEX.match(value.strip()):
        raise ValueError(
            f"a fingerprint is sha256: and lower-case hex digits; write sha256:{found[1].lower()}"
        )
    if TOKEN_SHAPE.search(value) or not value.startswith("sha256:"):
        raise ValueError(
            "this is not a fingerprint, and may be a token itself: never write a token here; "
            "run 'brickscope fingerprint' and write what it prints"
        )
    raise ValueError("a fingerprint is sha256: and 64 lower-case hex digits; run 'brickscope fingerprint'")


def _workspace(value: str) -> str:
    found = _CHOSEN.fullmatch(value)
    if is_hostname(found[1] if found else value):
        return value
    url = re.sub(r"^[a-z]+://", "", value.strip().lower())
    bare = re.split("[/?#:]", url)[0].rstrip(".")
    number = re.search(r"[?&](?:o|workspace_id)=([0-9]{1,20})", url)
    raise ValueError(
        "a workspace is a plain lower-case host name, with ?o= and a number where the host has several"
        + (f"; write {bare}{f'?o={number[1]}' if number else ''}" if is_hostname(bare) else "")
    )


def _pattern(value: str) -> str:
    try:
        HostPatterns([value])
    except ValueError as error:
        raise ValueError(str(error).replace(": write", "; write", 1)) from None
    return value


def _https(value: str) -> str:
    parts = urlsplit(value)
    # No query, user or port: what is fetched is what is read here.
    plain = f"https://{parts.hostname}{parts.path}"
    if value != plain or not is_hostname(parts.hostname or "") or not _URL_PATH.fullmatch(parts.path):
        raise ValueError(
            "this is an https URL with a path and nothing more, such as "
            "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc/jwks.json"
        )
    return value


def _issuer(value: str) -> str:
    if is_entra(value):
        raise ValueError(
            "this is an issuer of Microsoft Entra ID, whose tenant and audience have to be pinned; "
            "name it under tenants:, as tenant: and its GUID"
        )
    parts = urlsplit(value)
    plain = f"https://{parts.hostname}{parts.path}"
    # As the tokens have it, byte for byte: with a slash at its end or without one.
    path = parts.path.removesuffix("/")
    if value != plain or not is_hostname(parts.hostname or "") or (path and not _URL_PATH.fullmatch(path)):
        raise ValueError(
            "an issuer is an https URL without port, user and query, as the tokens have it in 'iss', such as "
            "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc"
        )
    return value


def _guid(value: str) -> str:
    if GUID.fullmatch(value):
        return value
    if GUID.fullmatch(value.lower()):
        raise ValueError(f"Entra ID writes its ids in lower case; write {value.lower()}")
    if "@" in value:
        raise ValueError(
            "a user principal name can be given to somebody else; write the object id (a GUID), as "
            "'az ad user show --id NAME --query id' prints it"
        )
    raise ValueError("this is not a GUID such as 0d26daa6-5e44-4c97-a497-ef015f91254a")


def _tenant(value: str) -> str:
    if value.lower() in (*_MANY_TENANTS, CONSUMERS):
        raise ValueError(
            "everybody has a token of this issuer, whatever the tenant; write the GUID of one tenant, as "
            "'az account show --query tenantId' prints it"
        )
    return _guid(value)


def _azure_resource(value: str) -> str:
    if RESOURCE_ID.fullmatch(value.lower()):
        return value
    raise ValueError(
        "this is not the id of a workspace in Azure; write "
        "/subscriptions/GUID/resourceGroups/NAME/providers/Microsoft.Databricks/workspaces/NAME"
    )


def _network(value: str) -> str:
    try:
        network = str(ipaddress.ip_network(value))
        # A netmask and a host mask look alike: 10.0.0.0/0.0.0.255 is easily the wrong one.
        if not _MASK.search(value) and "%" not in value:
            return network
        raise ValueError
    except ValueError:
        try:
            near = f"; write {ipaddress.ip_network(value.partition('%')[0], strict=False)}"
        except ValueError:
            near = ", such as 10.0.8.0/24"
        raise ValueError(f"a client is an IP address or network{near}") from None


def moment(value: Any) -> float:
    """Seconds since the epoch of what is written for a time. A date means its first moment in UTC. Raises ValueError."""
    if isinstance(value, str):
        found = _TIMESTAMP.fullmatch(value)
        with contextlib.suppress(ValueError, OverflowError):
            if _DATE.fullmatch(value):
                day = date.fromisoformat(value)
                return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            if found is not None and found[1]:
                return datetime.fromisoformat(value.upper()).astimezone(UTC).timestamp()
        if found is not None and not found[1]:
            raise ValueError(f"the time has no zone; write {value}Z for UTC")
    raise ValueError("a time is a date such as 2027-03-01 or a timestamp such as 2027-03-01T12:00:00Z")


_HASH = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
Fingerprint = Annotated[str, BeforeValidator(_fingerprint), WithJsonSchema(_HASH)]


def _no_secret(value: str) -> str:
    if TOKEN_SHAPE.search(value):
        raise ValueError(
            "this may be a secret: never write one here; write the application id of the service principal"
        )
    return value


def _no_token(value: str) -> str:
    if TOKEN_SHAPE.search(value):
        raise ValueError("this may be a token: never write one here; write a name")
    return value


def _contact(value: str) -> str:
    if not value.isprintable() or not value.isascii() or value != value.strip() or not 0 < len(value) <= 200:
        raise ValueError("a contact is one line of at most 200 printable ASCII characters")
    if TOKEN_SHAPE.search(value):
        raise ValueError("this may be a secret: never write one here; write a name or an address")
    return value


def _fingerprints(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


_LIST: dict[str, Any] = {"type": "array", "items": _HASH, "minItems": 1, "maxItems": MAX_FINGERPRINTS}
Fingerprints = Annotated[
    list[Fingerprint],
    BeforeValidator(_fingerprints),
    Field(min_length=1, max_length=MAX_FINGERPRINTS),
    WithJsonSchema({"anyOf": [_HASH, _LIST]}),
]
Workspace = Annotated[
    str,
    AfterValidator(_workspace),
    Field(examples=["dbc-a1b2c3d4-e5f6.cloud.databricks.com", "acme.databricks.com?o=1234567890123456"]),
]
HostPattern = Annotated[str, AfterValidator(_pattern), Field(examples=["*.cloud.databricks.com"])]
Https = Annotated[str, AfterValidator(_https), Field(examples=["https://www.googleapis.com/oauth2/v3/certs"])]
IssuerUrl = Annotated[
    str, AfterValidator(_issuer), Field(examples=["https://accounts.cloud.databricks.com/oidc"])
]
AzureResource = Annotated[str, AfterValidator(_azure_resource)]
_GUID = WithJsonSchema({"type": "string", "pattern": f"^{GUID.pattern}$"})
Guid = Annotated[str, AfterValidator(_guid), _GUID]
Tenant = Annotated[str, AfterValidator(_tenant), _GUID]
# What a JWT carries in client_id or sub; a display name or a secret is often written instead.
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}$"), AfterValidator(_no_secret)]
Sub = Annotated[str, Field(pattern=r"^[!-~]{1,255}$", examples=["alice@example.com"])]
KeysFile = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.jwks\.json$", examples=["prod.jwks.json"])
]
GrantWord = Literal["client_credentials", "browser_login", "refresh", "federation", "token_exchange"]
Network = Annotated[str, AfterValidator(_network), Field(examples=["10.0.8.0/24", "192.0.2.1"])]
Moment = Annotated[
    float, BeforeValidator(moment), WithJsonSchema({"type": "string", "examples": ["2027-03-01"]})
]
Name = Annotated[str, Field(pattern=NAME), AfterValidator(_no_token)]
ModeWord = Literal["enforce", "monitor"]
Contact = Annotated[
    str, AfterValidator(_contact), Field(examples=["#data-platform, or data-platform@example.com"])
]
