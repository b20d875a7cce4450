"""Whether traffic may be sent here, and why not."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a proxy is not ready: a closed list, with a sentence each."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> Reason:
        """A member by its code and what it says."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    GATE_MISSING = (
        "gate_missing",
        "The gate is not as it was when the proxy started. Restart the proxy.",
    )
    NOT_LISTENING = "not_listening", "The proxy does not listen for clients."
    DRAINING = "draining", "The proxy is about to stop; it finishes the calls in progress."
    POLICY_EMPTY = "policy_empty", "The policy names nobody, so every call would be denied."
    AUDIT_FAILING = "audit_failing", "The audit log can't be written, so every call is denied."
    AUDIT_MOVED = (
        "audit_moved",
        "The audit log's file was deleted or moved away, and could not be started again yet.",
    )
    CREDENTIAL_FAILING = (
        "credential_failing",
        "A credential behind placeholders can't be obtained. Its calls get 503; all others work, so the proxy is ready.",
    )
    DISK_FULL = "disk_full", "The disk of the audit log is full, so every call is about to be denied."


class Obstacle(NamedTuple):
    """One reason why a proxy is not ready, with what is known about this case."""

    reason: Reason
    detail: str = ""

    def shown(self) -> dict[str, str]:
        """As the status page has it."""
        return {"reason": self.reason.value, "message": self.reason.sentence} | (
            {"detail": self.detail} if self.detail else {}
        )
