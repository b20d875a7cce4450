"""The denial of somebody the policy does not name."""

from .credential import conceals_placeholder
from .decision import Decision, Refused
from .policy import Mode, Policy
from .reason import Kind, Reason
from .rule import WEBSOCKET


def decide_stranger(
    policy: Policy,
    method: str,
    refused: Refused,
    fingerprint: str | None = None,
    authorization: bytes | None = None,
) -> Decision:
    """The denial for this reason; goes on only if the whole proxy is in monitor mode, never as a websocket, and never with a
    placeholder. ``method``: of the call. ``fingerprint``: of the token. ``authorization``: what it came in."""
    if (
        refused.reason.kind is not Kind.PLACEHOLDER
        and authorization is not None
        and conceals_placeholder(authorization)
    ):
        detail = "the Authorization header holds a placeholder in a form that is not exchanged"
        refused = Refused(Reason.PLACEHOLDER_MISPLACED, detail)
    reason = refused.reason
    return Decision(
        False,
        reason,
        refused.detail,
        policy.mode is Mode.ENFORCE or reason.kind is not Kind.SUBJECT or method == WEBSOCKET,
        policy.mode.value,
        fingerprint=fingerprint,
        policy_revision=policy.revision,
        principal=refused.principal,
    )
