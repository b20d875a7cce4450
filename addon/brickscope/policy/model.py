"""The shape of one policy file. The JSON Schema for editors is made from these models (``schema.py``)."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    WrapValidator,
)

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


def _given(value: Any) -> Any:
    # A binding whose entries were all commented out reads as null. Taken for "not bound", it would let the token be
    # used from anywhere.
    if value is None:
        raise ValueError("the key has no value; write one or delete the key")
    return value


def _version(value: Any) -> Any:
    # True equals 1 in Python, also to pydantic's Literal.
    return None if isinstance(value, bool) else value


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
            "this is no fingerprint and may be a token itself: never write a token here; "
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
    raise ValueError("this is no GUID such as 0d26daa6-5e44-4c97-a497-ef015f91254a")


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
        "this is no id of a workspace in Azure; write "
        "/subscriptions/GUID/resourceGroups/NAME/providers/Microsoft.Databricks/workspaces/NAME"
    )


def _network(value: str) -> str:
    try:
        network = str(ipaddress.ip_network(value))
        # A netmask and a host mask look alike: 10.0.0.0/0.0.0.255 is easily the wrong one.
        if not _MASK.search(value):
            return network
        raise ValueError
    except ValueError:
        try:
            near = f"; write {ipaddress.ip_network(value, strict=False)}"
        except ValueError:
            near = ", such as 10.0.8.0/24"
        raise ValueError(f"a client is an IP address or network{near}") from None


def moment(value: Any) -> float:
    """Seconds since the epoch of what is written for a time. A date means its first moment in UTC. Raises ValueError."""
    if isinstance(value, str):
        found = _TIMESTAMP.fullmatch(value)
        with contextlib.suppress(ValueError):
            if _DATE.fullmatch(value):
                day = date.fromisoformat(value)
                return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            if found is not None and found[1]:
                return datetime.fromisoformat(value.upper()).timestamp()
        if found is not None and not found[1]:
            raise ValueError(f"the time has no zone; write {value}Z for UTC")
    raise ValueError("a time is a date such as 2027-03-01 or a timestamp such as 2027-03-01T12:00:00Z")


Fingerprint = Annotated[
    str, BeforeValidator(_fingerprint), WithJsonSchema({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})
]


def _no_secret(value: str) -> str:
    if TOKEN_SHAPE.search(value):
        raise ValueError(
            "this may be a secret: never write one here; write the application id of the service principal"
        )
    return value


def _contact(value: str) -> str:
    if not value.isprintable() or not value.isascii() or value != value.strip() or not 0 < len(value) <= 200:
        raise ValueError("a contact is one line of at most 200 printable ASCII characters")
    if TOKEN_SHAPE.search(value):
        raise ValueError("this may be a secret: never write one here; write a name or an address")
    return value


def _fingerprints(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Fingerprints = Annotated[
    list[Fingerprint],
    BeforeValidator(_fingerprints),
    Field(min_length=1, max_length=MAX_FINGERPRINTS),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
                    "minItems": 1,
                    "maxItems": MAX_FINGERPRINTS,
                },
            ]
        }
    ),
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
Guid = Annotated[
    str, AfterValidator(_guid), WithJsonSchema({"type": "string", "pattern": f"^{GUID.pattern}$"})
]
Tenant = Annotated[
    str, AfterValidator(_tenant), WithJsonSchema({"type": "string", "pattern": f"^{GUID.pattern}$"})
]
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
Name = Annotated[str, Field(pattern=NAME)]
ModeWord = Literal["enforce", "monitor"]
_GIVEN = BeforeValidator(_given)
OptionalMode = Annotated[ModeWord | None, _GIVEN]
OptionalText = Annotated[str | None, _GIVEN]
Contact = Annotated[
    str, AfterValidator(_contact), Field(examples=["#data-platform, or data-platform@example.com"])
]
OptionalContact = Annotated[Contact | None, _GIVEN]
_CONTACT = (
    "Whom to ask for a rule: a line for whoever meets a 403. The rule set's own goes before the policy's."
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Bound(_Strict):
    """The bindings that every kind of subject can have."""

    mode: OptionalMode = Field(None, description="monitor: log what the rules deny, and let it go on.")
    workspaces: Annotated[list[Workspace] | None, _GIVEN] = Field(
        None,
        min_length=1,
        description="It is worth nothing elsewhere. With ?o= and a number on a host of several workspaces.",
    )
    clients: Annotated[list[Network] | None, _GIVEN] = Field(
        None, min_length=1, description="Nor from other addresses."
    )
    expires: Annotated[Moment | None, _GIVEN] = Field(
        None,
        description="From this moment on it may do nothing: a time with its zone, or a date for its start in UTC.",
    )
    description: OptionalText = Field(None, description="Free text for people.")


class TokenEntry(_Bound):
    """A personal access token, named by its fingerprint, or a placeholder for one, and the rule set it gets."""

    fingerprint: Annotated[Fingerprints | None, _GIVEN] = Field(
        None,
        description="What 'brickscope fingerprint' prints for the token; a list of two while it is replaced.",
    )
    placeholder: Annotated[Fingerprints | None, _GIVEN] = Field(
        None,
        description="What 'brickscope placeholder new' prints for a placeholder; a list of two while it is replaced.",
    )
    credential: Annotated[Name | None, _GIVEN] = Field(
        None,
        description="What the placeholder is exchanged for: a name in the operator's file (scope_credentials).",
    )
    rule_set: Name = Field(description="The rule set that says what the token may do.")


TokenFields = Annotated[
    dict[
        Literal["resource", "audience"],
        Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)],
    ]
    | None,
    _GIVEN,
]
_TOKEN_FIELDS = Field(
    None,
    min_length=1,
    description="What its token requests may have in 'resource' and 'audience': these values, and no other field.",
)


class ServicePrincipalEntry(_Bound):
    """A service principal, known by the verified tokens that it mints, and the rule set it gets."""

    client_id: Annotated[ClientId | None, _GIVEN] = Field(
        None, description="Its application id, as Databricks' own tokens have it."
    )
    tenant: Annotated[Name | None, _GIVEN] = Field(
        None, description="The tenant under 'tenants' whose tokens of Entra ID are its."
    )
    object_id: Annotated[Guid | None, _GIVEN] = Field(
        None, description="In the tenant: the object id of the service principal or managed identity."
    )
    application_id: Annotated[Guid | None, _GIVEN] = Field(
        None, description="In the tenant: its application id; with object_id, both have to be right."
    )
    rule_set: Name = Field(description="The rule set that says what its tokens may do.")
    grants: Annotated[list[GrantWord] | None, _GIVEN] = Field(
        None,
        min_length=1,
        description="How it may get tokens. Without the key: client_credentials, its id and secret.",
    )
    token_fields: TokenFields = _TOKEN_FIELDS
    azure_resource: Annotated[AzureResource | None, _GIVEN] = Field(
        None,
        description="The workspace in Azure for which it may show a second token "
        "(X-Databricks-Azure-SP-Management-Token), which has to be its own.",
    )


class UserEntry(_Bound):
    """A person, known by the verified tokens of a browser login, and the rule set these get."""

    sub: Annotated[Sub | None, _GIVEN] = Field(
        None, description="The login name, as Databricks' own tokens have it in 'sub'."
    )
    tenant: Annotated[Name | None, _GIVEN] = Field(
        None, description="The tenant under 'tenants' whose tokens of Entra ID are the person's."
    )
    object_id: Annotated[Guid | None, _GIVEN] = Field(
        None, description="In the tenant: the person's object id. Names are given to others, this is not."
    )
    rule_set: Name = Field(description="The rule set that says what the person's tokens may do.")


class LoginEntry(_Bound):
    """A way to get tokens without a service principal's secret. What such a token may do, its user's entry says."""

    client_id: Annotated[ClientId | None, _GIVEN] = Field(
        None,
        description="The OAuth client that asks, such as databricks-cli; without the key, none is named.",
    )
    grants: list[GrantWord] = Field(min_length=1, description="Which requests for a token are let through.")
    token_fields: TokenFields = _TOKEN_FIELDS


class TenantEntry(_Strict):
    """A tenant of Microsoft Entra ID whose tokens for Azure Databricks count."""

    tenant: Tenant = Field(description="Its GUID.")
    cloud: Literal["public", "us_government", "china"] = Field("public", description="Its Azure cloud.")
    hosts: Annotated[list[HostPattern] | None, _GIVEN] = Field(
        None,
        min_length=1,
        description="Where its tokens count. Without the key: on the workspaces of its cloud.",
    )
    keys_file: Annotated[KeysFile | None, _GIVEN] = Field(
        None,
        description="A file NAME.jwks.json beside this one with the public keys; nothing is fetched then.",
    )
    description: OptionalText = Field(None, description="Free text for people.")


class IssuerEntry(_Strict):
    """Somebody other than the host itself whose tokens count there, or a host whose keys can't be fetched."""

    issuer: IssuerUrl = Field(
        description="What the tokens have in 'iss', with its last slash if there is one."
    )
    audience: Annotated[str | None, _GIVEN] = Field(
        None,
        min_length=1,
        description="What the tokens have to have in 'aud', exactly; 'host' for https:// and the host of the call.",
    )
    hosts: Annotated[list[HostPattern] | None, _GIVEN] = Field(
        None, min_length=1, description="Where its tokens count. Without the key: on the issuer's own host."
    )
    keys_url: Annotated[Https | None, _GIVEN] = Field(
        None, description="Where its public keys are. Without the key: jwks.json below the issuer."
    )
    keys_file: Annotated[KeysFile | None, _GIVEN] = Field(
        None,
        description="A file NAME.jwks.json beside this one with its public keys; nothing is fetched then.",
    )
    description: OptionalText = Field(None, description="Free text for people.")


class RuleEntry(_Strict):
    """A rule by name: an operation, a class of operations, or a preset."""

    operation: Annotated[str | None, _GIVEN] = Field(
        None,
        description="An operation as the official SDK names it, or all of a service.",
        examples=["jobs.run_now"],
    )
    service: Annotated[str | None, _GIVEN] = Field(
        None, description="All operations of a service, with 'class'."
    )
    kind: Annotated[str | None, _GIVEN] = Field(
        None, alias="class", description="read, write, execute, grant or secret."
    )
    preset: Annotated[str | None, _GIVEN] = Field(None, description="A rule set that comes with Brickscope.")
    where: Annotated[dict[str, Any] | None, _GIVEN] = Field(
        None, min_length=1, description="What parameters must be: a value, a list of values, or a test."
    )
    only: Annotated[list[str] | None, _GIVEN] = Field(
        None, description="No other parameters than these and those in 'where'."
    )
    description: OptionalText = Field(None, description="Free text for people.")


def _rule(value: Any, handler: Callable[[Any], RuleEntry]) -> str | RuleEntry:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise ValueError(
            "a rule is one line of text, or a mapping with operation, class or preset; METHOD /path"
        )
    entry = handler(value)
    named = [key for key in ("operation", "preset") if getattr(entry, key) is not None]
    if entry.service is not None or entry.kind is not None:
        named.append("class")
    if len(named) != 1:
        raise ValueError("a rule names one thing: operation, class (with or without service), or preset")
    if entry.preset is not None and (entry.where or entry.only is not None):
        raise ValueError("a preset takes no constraints; write its operations out")
    return entry


Rules = Annotated[
    list[Annotated[RuleEntry, WrapValidator(_rule)]],
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string", "pattern": r"^(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^?# ]*$"},
                    {"type": "string", "pattern": r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*\.(\*|[A-Za-z0-9_]+)$"},
                    RuleEntry.model_json_schema(),
                ]
            },
        }
    ),
]


class RuleSetEntry(_Strict):
    """What the subjects of this rule set may do. Everything that is not allowed is denied."""

    allow: Rules = Field(
        min_length=1,
        description="What is allowed: METHOD /path ({name} for one segment, {name...} for the rest), operations "
        "by name (jobs.run_now, jobs.*), classes, presets.",
    )
    deny: Rules = Field(
        default_factory=list, description="What is denied whatever 'allow' says, written in the same way."
    )
    mode: OptionalMode = Field(None, description="monitor: log what the rules deny, and let it go on.")
    contact: OptionalContact = Field(None, description=_CONTACT)
    description: OptionalText = Field(None, description="Free text for people.")


class AcceptEntry(_Strict):
    """A finding of 'brickscope check' that somebody accepts, why, and until when. No decision looks at it."""

    finding: Annotated[str, Field(pattern=r"^BS[0-9]{3}$", examples=["BS213"])] = Field(
        description="The code of the finding."
    )
    rule_set: Annotated[Name | None, _GIVEN] = Field(None, description="In which rule set.")
    subject: Annotated[Name | None, _GIVEN] = Field(None, description="For which subject alone.")
    operations: Annotated[list[str] | None, _GIVEN] = Field(
        None,
        min_length=1,
        description="Only as far as it rests on these operations. Without the key, whatever the rule set gets later.",
    )
    reason: Annotated[str, Field(pattern=r"\S")] = Field(description="Why, for whoever reviews it.")
    until: Moment = Field(description="From this moment on the finding is back.")


def _no_entries(value: Any) -> Any:
    return {} if value is None else value


# A group whose entries were all taken out, or not written yet, names nobody: that allows nothing.
_GROUP = BeforeValidator(_no_entries)


Revoked = Annotated[list[Fingerprint], BeforeValidator(lambda value: [] if value is None else value)]


class PolicyFile(_Strict):
    """One file of a Brickscope policy. All files of the folder together are one policy."""

    version: Annotated[Literal[1], BeforeValidator(_version)] = Field(
        description="The version of this format."
    )
    mode: OptionalMode = Field(None, description="The mode of the whole proxy; in one file only.")
    contact: OptionalContact = Field(None, description=f"{_CONTACT} In one file only.")
    tokens: Annotated[dict[Name, TokenEntry], _GROUP] = Field(default_factory=dict)
    service_principals: Annotated[dict[Name, ServicePrincipalEntry], _GROUP] = Field(default_factory=dict)
    users: Annotated[dict[Name, UserEntry], _GROUP] = Field(default_factory=dict)
    logins: Annotated[dict[Name, LoginEntry], _GROUP] = Field(default_factory=dict)
    tenants: Annotated[dict[Name, TenantEntry], _GROUP] = Field(default_factory=dict)
    issuers: dict[Name, IssuerEntry] = Field(default_factory=dict)
    rule_sets: dict[Name, RuleSetEntry] = Field(default_factory=dict)
    revoked: Revoked = Field(
        default_factory=list,
        description="Fingerprints of tokens and placeholders that are worth nothing any more, wherever they are listed.",
    )
    accept: list[AcceptEntry] = Field(
        default_factory=list, description="Findings of 'brickscope check' that are known and accepted."
    )


ENTRIES: dict[str, type[_Strict]] = {
    "tokens": TokenEntry,
    "service_principals": ServicePrincipalEntry,
    "users": UserEntry,
    "logins": LoginEntry,
    "tenants": TenantEntry,
    "issuers": IssuerEntry,
    "rule_sets": RuleSetEntry,
}
"""The groups of named entries in a file, and what one entry of each is."""
