"""Requests for a token: which grant, by which OAuth client, and whether the policy names the two together.

The token endpoint is an escalation endpoint: it turns one credential into another, whose fingerprint nobody knows.
So it is not open to path rules at all. A grant is judged by its client; what the new token may do is judged when it
is used, by whom it names.
"""

import re
from typing import NamedTuple

from .credential import TOKEN_SHAPE, read_pair, refuse_placeholder
from .decision import Refused
from .discovery import is_discovery
from .form import read_form
from .jwt_token import is_jwt
from .normal import fold
from .policy import Grant, Login, Principals, Subject
from .reason import Reason
from .request import ApiRequest

# databricks-sdk oauth.py; RFC 8414 metadata of a workspace names /oidc/v1/token, older drivers use the second one.
_ENDPOINT = re.compile(
    r"/oidc(?:/accounts/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?/v1/token|/oidc/oauth2/v2\.0/token"
)

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # noqa: S105 - no password
_PAT = "urn:databricks:params:oauth:token-type:personal-access-token"
_SUBJECTS = {
    f"{_TOKEN_TYPE}jwt": Grant.FEDERATION,
    f"{_TOKEN_TYPE}id_token": Grant.FEDERATION,
    f"{_TOKEN_TYPE}access_token": Grant.TOKEN_EXCHANGE,
}
_CLIENT = frozenset({"grant_type", "scope", "client_id", "client_secret"})
# A field that is not known here could change whose token comes back.
_FIELDS = {
    Grant.CLIENT_CREDENTIALS: _CLIENT | {"authorization_details", "assume_group", "resource"},
    Grant.REFRESH: _CLIENT | {"refresh_token", "redirect_uri"},
    Grant.BROWSER_LOGIN: _CLIENT | {"code", "code_verifier", "redirect_uri", "state"},
    Grant.FEDERATION: _CLIENT
    | {
        "subject_token",
        "subject_token_type",
        "requested_token_type",
        "authorization_details",
        "assume_group",
        "resource",
    },
}
_FIELDS[Grant.TOKEN_EXCHANGE] = _FIELDS[Grant.FEDERATION]
TOKEN_FIELDS = ("resource", "audience")
"""Say for whom the token shall be (RFC 8707, RFC 8693 section 2.1): let through where the policy names field and value."""
_KNOWN = frozenset().union(
    *_FIELDS.values(),
    (
        "actor_token",
        "actor_token_type",
        "assertion",
        "client_assertion",
        "client_assertion_type",
        "username",
        "password",
        "claims",
        "login_hint",
        "nonce",
        "prompt",
        *TOKEN_FIELDS,
    ),
)
_NEEDED = {
    Grant.CLIENT_CREDENTIALS: ("client_secret",),
    Grant.REFRESH: ("refresh_token",),
    Grant.BROWSER_LOGIN: ("code",),
    Grant.FEDERATION: ("subject_token",),
    Grant.TOKEN_EXCHANGE: ("subject_token",),
}
# What a token may be for whatever the policy says (RFC 8707): nothing, or Zerobus Ingest of one workspace (zerobus-sdk,
# default_token_factory.rs).
_RESOURCE = re.compile(r"(?:api://databricks/workspaces/[0-9]{1,20}/zerobusDirectWriteApi)?\Z")
# RFC 7636 section 4.1
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}\Z")


class TokenRequest(NamedTuple):
    """One request for a token, without any of its secrets. ``client_id`` is None where it names no client. ``fields``: those
    that the policy has to name, with their values."""

    grant: Grant
    client_id: str | None
    fields: tuple[tuple[str, str], ...] = ()

    def is_asked_by(self, client: Subject | Login) -> bool:
        """Whether the policy lets a client ask for all of ``fields``, name and value."""
        return all(value in client.token_fields.get(name, ()) for name, value in self.fields)

    def refusal(self) -> Refused:
        """Why nobody may ask for ``fields``; names one, and no value."""
        return Refused(
            Reason.GRANT_REFUSED,
            f"the policy does not allow the client to request a token with this value of {self.fields[0][0]} (token_fields)",
        )


def is_token_request(request: ApiRequest) -> bool:
    """Whether a request goes to where tokens are made: anything below ``/oidc`` but a look at metadata and keys.

    Wider than the endpoint itself, and without case: no rule with a variable may open what a server could take for it.
    """
    if request.readings:
        below = "oidc" in [fold(each.segments[0]) for each in request.readings if each.segments]
    else:
        below = "oidc" in fold(request.path)
    return below and not is_discovery(request)


def check_endpoint(request: ApiRequest) -> None:
    """Refuse everything below ``/oidc`` but the token endpoint itself. Raises Refused."""
    if request.management is not None:
        raise Refused(Reason.MULTIPLE_CREDENTIALS, "a token request carries Azure's second token")
    if request.method != "POST" or not _ENDPOINT.fullmatch(request.path):
        raise Refused(Reason.GRANT_REFUSED, "below /oidc only POST to the token endpoint is allowed")


def read_token_request(request: ApiRequest, body: bytes) -> TokenRequest:
    """Read a request for a token. Raises Refused; no detail holds any part of the body."""
    fields = read_form(request, body)
    grant = _grant(fields)
    if odd := sorted(set(fields) - _FIELDS[grant] - set(TOKEN_FIELDS)):
        shown = odd[0] if odd[0] in _KNOWN else "unknown"  # it may be a piece of a secret with an & in it
        raise Refused(
            Reason.GRANT_REFUSED, f"the token request has a field that {grant} does not know ({shown})"
        )
    client_id = _client(request, fields)
    for name in _NEEDED[grant]:
        if not fields.get(name):
            raise Refused(Reason.MALFORMED_FORM, f"the token request lacks the field {name}")
    if grant is Grant.BROWSER_LOGIN and not _VERIFIER.match(fields.get("code_verifier", "")):
        raise Refused(Reason.GRANT_REFUSED, "a browser login without a PKCE verifier can be stolen")
    named = [(name, fields[name]) for name in TOKEN_FIELDS if name in fields]
    if "resource" in _FIELDS[grant] and _RESOURCE.match(fields.get("resource", "")):
        named = [field for field in named if field[0] != "resource"]
    return TokenRequest(grant, client_id, tuple(named))


def _grant(fields: dict[str, str]) -> Grant:
    kind = fields.get("grant_type")
    if kind == "client_credentials":
        return Grant.CLIENT_CREDENTIALS
    if kind == "refresh_token":
        return Grant.REFRESH
    if kind == "authorization_code":
        return Grant.BROWSER_LOGIN
    if kind == _EXCHANGE:
        return _exchange(fields)
    if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
        raise Refused(Reason.GRANT_REFUSED, "jwt-bearer issues a token that no rule of this policy covers")
    raise Refused(Reason.GRANT_REFUSED, "the token request's grant_type is not one that a policy can name")


def _exchange(fields: dict[str, str]) -> Grant:
    """Which exchange it is. A personal access token never passes, under whatever name it is handed in."""
    kind, token = fields.get("subject_token_type", ""), fields.get("subject_token", "")
    opaque = bool(TOKEN_SHAPE.match(token)) and not token.startswith("eyJ")
    if kind == _PAT or opaque:
        raise Refused(Reason.GRANT_REFUSED, "exchanging a personal access token would bypass the policy")
    grant = _SUBJECTS.get(kind)
    if grant is None:
        raise Refused(Reason.GRANT_REFUSED, "the subject_token_type is not one that a policy can name")
    if token and not (token.isascii() and is_jwt(token.encode()) and token.count(".") == 2):
        raise Refused(Reason.GRANT_REFUSED, "the subject_token is not a JSON Web Token")
    if fields.get("requested_token_type", f"{_TOKEN_TYPE}access_token") != f"{_TOKEN_TYPE}access_token":
        raise Refused(Reason.GRANT_REFUSED, "the requested_token_type is not an access token")
    return grant


def _client(request: ApiRequest, fields: dict[str, str]) -> str | None:
    """The client that asks: by Basic or in the form, not both. The secret is put in ``fields`` and goes no further."""
    if request.authorization is None:
        return fields.get("client_id") or None
    if request.authorization[:5].lower() != b"basic":
        raise Refused(
            Reason.MULTIPLE_CREDENTIALS,
            "a token request carries a client's id and secret, not a bearer token",
        )
    user, secret = read_pair(request.authorization)
    refuse_placeholder(secret, "the client's secret in the Authorization header")
    if fields.get("client_secret") or fields.get("client_id", "").encode() not in (b"", user):
        raise Refused(Reason.MULTIPLE_CREDENTIALS, "the token request gives its client twice")
    client_id = user.decode("latin-1")
    if not client_id or not client_id.isascii() or not client_id.isprintable():
        raise Refused(
            Reason.MALFORMED_CREDENTIAL, "the client in the Authorization header is not a plain name"
        )
    fields["client_secret"] = "given" if secret else ""
    return client_id


def find_clients(principals: Principals, asked: TokenRequest) -> list[Subject | Login]:
    """Everybody in the policy who is this OAuth client: one service principal, or the logins through it."""
    if asked.client_id is not None:
        principal = principals.service_principals.get(asked.client_id)
        if principal is not None:
            return [principal]
    return [login for login in principals.logins if login.client_id == asked.client_id]
