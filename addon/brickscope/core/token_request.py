"""The decision on a request for a token: by its grant, and by the client that asks."""

from .binding import find_unbound
from .decision import Decision, Principal, Refused
from .directory import Directory
from .form import MAX_FORM
from .grant import TokenRequest, check_endpoint, find_clients, read_token_request
from .pending import BodyNeeded
from .policy import Mode, Policy, Subject
from .reason import Reason
from .request import ApiRequest
from .stranger import decide_stranger

OPERATION = "oidc.token"
"""The catalogue's name for it."""


def decide_token_request(
    policy: Policy,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None,
    body: bytes | None,
) -> Decision:
    """Decide on a request for a token, by its grant and client."""
    try:
        check_endpoint(request)
        if request.flaw is not None:  # in every mode: another header or parameter could make it another call
            raise request.flaw
        if body is None:
            raise BodyNeeded(MAX_FORM)
        asked = read_token_request(request, body)
    except Refused as refused:
        return decide_stranger(policy, request.method, refused, None, request)
    return decide_grant(policy, asked, request, client_address, now, directory)


def decide_grant(
    policy: Policy,
    asked: TokenRequest,
    request: ApiRequest,
    client_address: str,
    now: float,
    directory: Directory | None = None,
) -> Decision:
    """Decide on a request for a token that was read already."""
    known = find_clients(policy.principals, asked)
    if asked.fields:
        # In every mode: such a token could be for anybody.
        if not any(map(asked.is_asked_by, known)):
            return decide_stranger(policy, request.method, asked.refusal(), None, request)._replace(
                grant=asked.grant.value, operation=OPERATION
            )
        known = list(filter(asked.is_asked_by, known))
    principal = Principal(None, asked.client_id, None)
    if not known:
        what = "the client of the token request" if asked.client_id else "a token request without a client"
        refused = Refused(Reason.UNKNOWN_CLIENT, f"the policy does not name {what}")
        refused.principal = principal
        return decide_stranger(policy, request.method, refused, None, request)._replace(
            grant=asked.grant.value, operation=OPERATION
        )
    able = [client for client in known if asked.grant in client.grants]
    # Several logins may go through one client; the first whose bindings hold answers for it.
    answers = [(client, *find_unbound(client, request, client_address, now, directory)) for client in able]
    client, unbound, home = next(
        (answer for answer in answers if answer[1] is None), (answers or [(known[0], None, None)])[0]
    )
    if not able:
        reason, detail = (
            Reason.GRANT_NOT_ALLOWED,
            f"the policy does not give {client.name!r} the grant {asked.grant}",
        )
    elif unbound is not None:
        reason, detail = unbound
    else:
        reason, detail = Reason.ALLOWED_BY_GRANT, f"the policy gives {client.name!r} the grant {asked.grant}"
    rule_set = client.rule_set if isinstance(client, Subject) else None
    mode = policy.mode_of(client)
    allow = reason is Reason.ALLOWED_BY_GRANT
    return Decision(
        allow,
        reason,
        detail,
        allow or mode is Mode.ENFORCE,
        mode.value,
        client.name,
        rule_set=rule_set.name if rule_set else None,
        policy_revision=policy.revision,
        operation=OPERATION,
        params=dict(asked.fields),
        principal=principal,
        grant=asked.grant.value,
        host_workspace=home,
    )
