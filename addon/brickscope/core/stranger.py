"""The denial of somebody the policy does not name."""

from .credential import conceals_placeholder, possible_tokens
from .decision import Decision, Refused
from .fingerprint import fingerprint as fingerprint_of
from .jwt_token import is_jwt, read_claims
from .policy import Mode, Policy
from .principal import find_claimed
from .reason import Kind, Reason
from .request import ApiRequest
from .rule import WEBSOCKET


def decide_stranger(
    policy: Policy,
    method: str,
    refused: Refused,
    fingerprint: str | None = None,
    request: ApiRequest | None = None,
) -> Decision:
    """The denial for this reason; goes on only if the whole proxy is in monitor mode, never as a websocket, never with a
    placeholder or Azure's second token, and never with what may be the credential of a subject in ``enforce``.

    ``method``: of the call. ``fingerprint``: of the token. ``request``: the call, where it is at hand."""
    authorization = (request is not None and request.authorization) or b""
    if refused.reason.kind is not Kind.PLACEHOLDER and conceals_placeholder(authorization):
        detail = "the Authorization header holds a placeholder in a form that is not exchanged"
        refused = Refused(Reason.PLACEHOLDER_MISPLACED, detail)
    reason = refused.reason
    return Decision(
        False,
        reason,
        refused.detail,
        policy.mode is Mode.ENFORCE
        or reason.kind is not Kind.SUBJECT
        or method == WEBSOCKET
        or (request is not None and request.management is not None)
        or _may_be_enforced(policy, authorization),
        policy.mode.value,
        fingerprint=fingerprint,
        policy_revision=policy.revision,
        principal=refused.principal,
    )


def _may_be_enforced(policy: Policy, authorization: bytes) -> bool:
    """Whether a value of Authorization holds, in whatever form, the token of a subject in ``enforce``, or one that says it
    is such a subject's: a workspace takes tokens that are not verified here (of an account, or by a new key)."""
    for token in possible_tokens(authorization):
        found = [policy.tokens[name]] if (name := fingerprint_of(token)) in policy.tokens else []
        if is_jwt(token):
            try:
                found += find_claimed(policy.principals, read_claims(token))
            except (
                Refused
            ) as refused:  # what is irregular, no server takes; without the name of a key it may be anybody's
                found += policy.subjects if refused.reason is Reason.UNKNOWN_KEY else []
        if any(policy.mode_of(each) is Mode.ENFORCE for each in found):
            return True
    return False
