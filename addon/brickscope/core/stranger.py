"""The denial of somebody the policy does not name."""

from __future__ import annotations

from .decision import Decision, Refused
from .policy import Mode, Policy
from .reason import Kind
from .rule import WEBSOCKET


def decide_stranger(
    policy: Policy, method: str, refused: Refused, fingerprint: str | None = None
) -> Decision:
    """The denial for this reason; goes on only if the whole proxy is in monitor mode, and never as a websocket.
    ``method``: of the call. ``fingerprint``: of the token."""
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
