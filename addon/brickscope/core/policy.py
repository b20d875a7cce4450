"""The compiled policy: what the files say, in the form that decisions read. Built by ``brickscope.policy``."""

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .hostname import HostPatterns
from .key import KeySet
from .operation import OperationRule
from .rule import RuleTable


class Mode(StrEnum):
    """``enforce``: a denied call is not sent. ``monitor``: what the rules deny is logged and sent anyway."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


class Grant(StrEnum):
    """A way to get a token from the token endpoint that a policy can name."""

    CLIENT_CREDENTIALS = "client_credentials"
    """A service principal with its secret (RFC 6749 section 4.4)."""
    BROWSER_LOGIN = "browser_login"
    """The code that a browser login ended with, with its PKCE verifier (RFC 6749 section 4.1, RFC 7636)."""
    REFRESH = "refresh"
    """A refresh token (RFC 6749 section 6)."""
    FEDERATION = "federation"
    """A token of another identity provider (RFC 8693 with a ``jwt`` or ``id_token``)."""
    TOKEN_EXCHANGE = "token_exchange"  # noqa: S105 - no password
    """A Databricks OAuth token for another one (RFC 8693 with an ``access_token``)."""


class RuleSet(NamedTuple):
    """What its subjects may do: a call is allowed if ``allow`` matches and ``deny`` does not.

    ``operations`` and ``denied_operations``: rules by the name of the operation, those without constraints first.
    ``contact``: whom to ask for a rule, one printable line; None where the policy's own holds.
    """

    name: str
    allow: RuleTable
    deny: RuleTable
    mode: Mode | None = None
    operations: Mapping[str, tuple[OperationRule, ...]] = {}
    denied_operations: Mapping[str, tuple[OperationRule, ...]] = {}
    contact: str | None = None


class Subject(NamedTuple):
    """Somebody the policy names, with the bindings beyond which the credential is worth nothing.

    ``workspaces``: lower-case host names, each plain or with ``?o=`` and a workspace id; None for any.
    ``clients``: networks, None for any. ``expires``: seconds since the epoch (UTC) from which on the subject may do
    nothing, None for never. ``grants``: which token requests its client may make (service principals only), and
    ``token_fields`` what these may ask for beside that: values by name. ``azure_resource``: the workspace for which it may
    show Azure's second token, in lower case. ``credential``: of a placeholder, what it is exchanged for: a name in the
    operator's file, of which the policy knows no more; None for a credential that is sent as it came.
    """

    name: str
    rule_set: RuleSet
    mode: Mode | None = None
    workspaces: frozenset[str] | None = None
    clients: tuple[IPv4Network | IPv6Network, ...] | None = None
    expires: float | None = None
    grants: frozenset[Grant] = frozenset()
    token_fields: Mapping[str, frozenset[str]] = {}
    azure_resource: str | None = None
    credential: str | None = None


class Login(NamedTuple):
    """A public OAuth client (no secret) that may ask for tokens: the CLI's, or none where requests name no client.

    It has no rules: what a token so obtained may do is decided when it is used, by whom it names.
    """

    name: str
    client_id: str | None
    grants: frozenset[Grant]
    mode: Mode | None = None
    workspaces: frozenset[str] | None = None
    clients: tuple[IPv4Network | IPv6Network, ...] | None = None
    expires: float | None = None
    token_fields: Mapping[str, frozenset[str]] = {}


class Issuer(NamedTuple):
    """Somebody other than the host itself whose tokens count on some hosts: an account, a workspace with fixed keys, or a
    tenant of Entra ID.

    ``hosts``: where its tokens count. ``keys_url``: where its public keys are, None for ``/jwks.json`` below it.
    ``keys``: the content of a key file instead, so that nothing is fetched. ``audience``: for whom its tokens have to be,
    ``SAME_HOST`` for the host of the call, None for anybody. ``management``: the same of a token that comes beside the
    bearer, none where none may.
    """

    url: str
    hosts: HostPatterns
    keys_url: str | None = None
    keys: KeySet | None = None
    audience: str | None = None
    management: tuple[str, ...] = ()


SAME_HOST = "host"
"""The audience that is ``https://HOST`` of the call."""


class EntraKey(NamedTuple):
    """By what somebody of Entra ID is known: in a tenant by object id, application id (of its own tokens) or both."""

    tenant: str
    object_id: str | None
    application_id: str | None
    is_user: bool

    def __str__(self) -> str:
        ids = (("object", self.object_id), ("application", self.application_id))
        return " ".join([f"tenant {self.tenant}", *(f"{what} {each}" for what, each in ids if each)])


class Principals(NamedTuple):
    """Who is known by verified claims: service principals by ``client_id``, users by ``sub``, and how they log in; and both
    by the claims of Entra ID."""

    service_principals: Mapping[str, Subject] = {}
    users: Mapping[str, Subject] = {}
    logins: tuple[Login, ...] = ()
    issuers: Mapping[str, Issuer] = {}
    entra: Mapping[EntraKey, Subject] = {}

    @property
    def subjects(self) -> list[Subject]:
        """Everybody who is known by a token's claims, once for each way."""
        return [*self.service_principals.values(), *self.users.values(), *self.entra.values()]


class Policy(NamedTuple):
    """All files together. ``tokens`` is by fingerprint, placeholders among them; ``revision`` is the hash of the compiled
    content.

    ``catalogue``: finds the operation of a call; the ``text`` of what it finds is the operation's name. ``contact``: whom
    to ask about a denial, one printable line.
    """

    tokens: Mapping[str, Subject]
    rule_sets: Mapping[str, RuleSet]
    mode: Mode
    revision: str
    principals: Principals = Principals()
    catalogue: RuleTable = RuleTable(())
    contact: str | None = None

    def mode_of(self, each: Subject | Login | RuleSet) -> Mode:
        """The mode that holds for somebody."""
        rule_set = each.rule_set if isinstance(each, Subject) else None
        return each.mode or (rule_set and rule_set.mode) or self.mode

    def contact_of(self, rule_set: str | None) -> str | None:
        """Whom to ask about a denial under the rule set of this name."""
        own = self.rule_sets.get(rule_set) if rule_set is not None else None
        return (own and own.contact) or self.contact

    @property
    def subjects(self) -> list[Subject]:
        """All who have rules; a token that is being replaced, which has two fingerprints, twice."""
        return [*self.tokens.values(), *self.principals.subjects]

    @property
    def everybody(self) -> list[Subject | Login]:
        """All whom the policy names: those who have rules, and logins."""
        return [*self.subjects, *self.principals.logins]
