"""Calls that carry no credential by nature: where a client learns how to log in, and the public keys of tokens.

Databricks' own clients make them before they have a token (databricks-sdk config.py ``_resolve_host_metadata`` and
oauth.py ``get_workspace_endpoints``); a machine's login can't begin without them.
"""

import re

from .decision import Decision
from .hostname import is_app
from .policy import Policy
from .reason import Reason
from .request import ApiRequest

_METADATA = r"/\.well-known/(?:oauth-authorization-server|openid-configuration)"
_ACCOUNT = r"(?:/accounts/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?"
_OPEN = re.compile(
    r"/\.well-known/databricks-config"
    rf"|{_METADATA}"
    r"|/\.well-known/oauth-protected-resource(?:/[A-Za-z0-9._/-]{0,256})?"
    rf"|/oidc{_ACCOUNT}(?:{_METADATA}|/jwks\.json)"
)
TENANT_LOOKUP = "/aad/auth"
"""Leads to the login of the workspace's tenant: Azure clients read its Location (databricks-sdk config.py
``load_azure_tenant_id``)."""
_QUERY = re.compile(r"(?:o|workspace_id)=[0-9]{1,20}")


def is_open(request: ApiRequest) -> bool:
    """Whether a call is one of these, and nothing more: no credential, no body, no query but the workspace's number.

    A body or a query could carry data to a workspace of somebody else's, with nobody's name on it. (So can a header, a
    little at a time: whoever must rule that out names the workspaces in ``scope_hosts``.) An app's makers read the path,
    too, so nothing goes to an app this way.
    """
    return (
        request.authorization is None
        and request.flaw is None
        and request.management is None
        and not is_app(request.host)
        and not request.may_have_body
        and (_is_tenant_lookup(request) or (is_discovery(request) and _is_plain(request.query)))
    )


def _is_plain(query: str | None) -> bool:
    return query is None or _QUERY.fullmatch(query) is not None


def _is_tenant_lookup(request: ApiRequest) -> bool:
    return (
        request.path == TENANT_LOOKUP
        and request.method == "GET"
        and request.query is None
        and not request.host.startswith("accounts.")
    )


def is_discovery(request: ApiRequest) -> bool:
    """Whether a call only looks at configuration, metadata or keys, with whatever credential."""
    return request.method in ("GET", "HEAD") and _OPEN.fullmatch(request.path) is not None


def decide_open(policy: Policy, request: ApiRequest) -> Decision:
    """The decision on such a call: it is let through."""
    called = policy.catalogue.match("GET", request.segments)
    return Decision(
        True,
        Reason.ALLOWED_WITHOUT_CREDENTIAL,
        "the call needs no credential",
        mode=policy.mode.value,
        policy_revision=policy.revision,
        operation=None if called is None else called.text,
    )
