"""The shape of one policy file. The JSON Schema for editors is made from these models, their docstrings among it
(``schema.py``)."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, WrapValidator

from .value import (
    AzureResource,
    ClientId,
    Contact,
    Fingerprint,
    Fingerprints,
    Given,
    GrantWord,
    Guid,
    HostPattern,
    Https,
    IssuerUrl,
    KeysFile,
    ModeWord,
    Moment,
    Name,
    Network,
    Some,
    Sub,
    Tenant,
    Workspace,
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class _Described(_Strict):
    description: Given[str] = None
    """Free text for people."""


class _Bound(_Described):
    """The bindings that every kind of subject can have."""

    mode: Given[ModeWord] = None
    """monitor: log what the rules deny, and let it go on."""
    workspaces: Given[Some[Workspace]] = None
    """It is not valid elsewhere. With ?o= and a number on a host of several workspaces."""
    clients: Given[Some[Network]] = None
    """Nor from other addresses."""
    expires: Given[Moment] = None
    """From this moment on it may do nothing: a time with its zone, or a date for its start in UTC."""


class TokenEntry(_Bound):
    """A personal access token, named by its fingerprint, or a placeholder for one, and the rule set it gets."""

    fingerprint: Given[Fingerprints] = None
    """What 'brickscope fingerprint' prints for the token; a list of two while it is replaced."""
    placeholder: Given[Fingerprints] = None
    """What 'brickscope placeholder new' prints for a placeholder; a list of two while it is replaced."""
    credential: Given[Name] = None
    """What the placeholder is exchanged for: a name in the operator's file (scope_credentials)."""
    rule_set: Name
    """The rule set that says what the token may do."""


TokenFields = Annotated[
    dict[Literal["resource", "audience"], Some[Annotated[str, Field(min_length=1)]]], Field(min_length=1)
]


class _Asking(_Bound):
    token_fields: Given[TokenFields] = None
    """What its token requests may have in 'resource' and 'audience': these values, and no other field."""


class ServicePrincipalEntry(_Asking):
    """A service principal, known by the verified tokens that it mints, and the rule set it gets."""

    client_id: Given[ClientId] = None
    """Its application id, as Databricks' own tokens have it."""
    tenant: Given[Name] = None
    """The tenant under 'tenants' whose tokens of Entra ID are its."""
    object_id: Given[Guid] = None
    """In the tenant: the object id of the service principal or managed identity."""
    application_id: Given[Guid] = None
    """In the tenant: its application id; with object_id, both have to be right."""
    rule_set: Name
    """The rule set that says what its tokens may do."""
    grants: Given[Some[GrantWord]] = None
    """How it may get tokens. Without the key: client_credentials, its id and secret."""
    azure_resource: Given[AzureResource] = None
    """The workspace in Azure for which it may show a second token of its own (X-Databricks-Azure-SP-Management-Token)."""


class UserEntry(_Bound):
    """A person, known by the verified tokens of a browser login, and the rule set these get."""

    sub: Given[Sub] = None
    """The login name, as Databricks' own tokens have it in 'sub'."""
    tenant: Given[Name] = None
    """The tenant under 'tenants' whose tokens of Entra ID are the person's."""
    object_id: Given[Guid] = None
    """In the tenant: the person's object id. Names are given to others, this is not."""
    rule_set: Name
    """The rule set that says what the person's tokens may do."""


class LoginEntry(_Asking):
    """A way to get tokens without a service principal's secret. What such a token may do, its user's entry says."""

    client_id: Given[ClientId] = None
    """The OAuth client that asks, such as databricks-cli; without the key, none is named."""
    grants: Some[GrantWord]
    """Which requests for a token are let through."""


class TenantEntry(_Described):
    """A tenant of Microsoft Entra ID whose tokens for Azure Databricks count."""

    tenant: Tenant
    """Its GUID."""
    cloud: Literal["public", "us_government", "china"] = "public"
    """Its Azure cloud."""
    hosts: Given[Some[HostPattern]] = None
    """Where its tokens count. Without the key: on the workspaces of its cloud."""
    keys_file: Given[KeysFile] = None
    """A file NAME.jwks.json beside this one with the public keys; nothing is fetched then."""


class IssuerEntry(_Described):
    """Somebody other than the host itself whose tokens count there, or a host whose keys can't be fetched."""

    issuer: IssuerUrl
    """What the tokens have in 'iss', with its last slash if there is one."""
    audience: Given[Annotated[str, Field(min_length=1)]] = None
    """What the tokens have to have in 'aud', exactly; 'host' for https:// and the host of the call."""
    hosts: Given[Some[HostPattern]] = None
    """Where its tokens count. Without the key: on the issuer's own host."""
    keys_url: Given[Https] = None
    """Where its public keys are. Without the key: jwks.json below the issuer."""
    keys_file: Given[KeysFile] = None
    """A file NAME.jwks.json beside this one with its public keys; nothing is fetched then."""


class RuleEntry(_Described):
    """A rule by name: an operation, a class of operations, or a preset."""

    operation: Annotated[Given[str], Field(examples=["jobs.run_now"])] = None
    """An operation as the official SDK names it, or all of a service."""
    service: Given[str] = None
    """All operations of a service, with 'class'."""
    kind: Annotated[Given[str], Field(alias="class")] = None
    """read, write, execute, grant or secret."""
    preset: Given[str] = None
    """A rule set that comes with Brickscope."""
    where: Given[Annotated[dict[str, Any], Field(min_length=1)]] = None
    """What parameters must be: a value, a list of values, or a test."""
    only: Given[list[str]] = None
    """No other parameters than these and those in 'where'."""


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


class RuleSetEntry(_Described):
    """What the subjects of this rule set may do. Everything that is not allowed is denied."""

    allow: Annotated[Rules, Field(min_length=1)]
    """METHOD /path ({name} for one segment, {name...} for the rest), operations (jobs.run_now, jobs.*), classes, presets."""
    deny: Rules = Field(default_factory=list)
    """What is denied whatever 'allow' says, written in the same way."""
    mode: Given[ModeWord] = None
    """monitor: log what the rules deny, and let it go on."""
    contact: Given[Contact] = None
    """Whom to ask for a rule: a line for whoever meets a 403. The rule set's own goes before the policy's."""


class AcceptEntry(_Strict):
    """A finding of 'brickscope check' that somebody accepts, why, and until when. No decision looks at it."""

    finding: Annotated[str, Field(pattern=r"^BS[0-9]{3}$", examples=["BS213"])]
    """The code of the finding."""
    rule_set: Given[Name] = None
    """In which rule set."""
    subject: Given[Name] = None
    """For which subject alone."""
    operations: Given[Some[str]] = None
    """Only as far as it rests on these operations. Without the key, whatever the rule set gets later."""
    reason: Annotated[str, Field(pattern=r"\S")]
    """Why, for whoever reviews it."""
    until: Moment
    """From this moment on the finding is back."""


def _no_entries(value: Any) -> Any:
    return {} if value is None else value


def _version(value: Any) -> Any:
    # True equals 1 in Python, also to pydantic's Literal.
    return None if isinstance(value, bool) else value


# A group whose entries were all taken out, or not written yet, names nobody: that allows nothing.
_GROUP = BeforeValidator(_no_entries)


Revoked = Annotated[list[Fingerprint], BeforeValidator(lambda value: [] if value is None else value)]


class PolicyFile(_Strict):
    """One file of a Brickscope policy. All files of the folder together are one policy."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    """The version of this format."""
    mode: Given[ModeWord] = None
    """The mode of the whole proxy; in one file only."""
    contact: Given[Contact] = None
    """Whom to ask for a rule: a line for whoever meets a 403; in one file only. A rule set's own goes before it."""
    tokens: Annotated[dict[Name, TokenEntry], _GROUP] = Field(default_factory=dict)
    service_principals: Annotated[dict[Name, ServicePrincipalEntry], _GROUP] = Field(default_factory=dict)
    users: Annotated[dict[Name, UserEntry], _GROUP] = Field(default_factory=dict)
    logins: Annotated[dict[Name, LoginEntry], _GROUP] = Field(default_factory=dict)
    tenants: Annotated[dict[Name, TenantEntry], _GROUP] = Field(default_factory=dict)
    issuers: dict[Name, IssuerEntry] = Field(default_factory=dict)
    rule_sets: dict[Name, RuleSetEntry] = Field(default_factory=dict)
    revoked: Revoked = Field(default_factory=list)
    """Fingerprints of tokens and placeholders that are worth nothing any more, wherever they are listed."""
    accept: list[AcceptEntry] = Field(default_factory=list)
    """Findings of 'brickscope check' that are known and accepted."""


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
