"""Whether traffic may be sent here, and why not."""

from enum import Enum
from typing import NamedTuple


class Reason(Enum):
    """Why a proxy is not ready: a closed list, with a sentence each."""

    GATE_MISSING = "The gate is not as it was when the proxy started. Restart the proxy."
    NOT_LISTENING = "The proxy does not listen for clients."
    DRAINING = "The proxy is about to stop; it finishes the calls in progress."
    POLICY_EMPTY = "The policy names nobody, so every call would be denied."
    AUDIT_FAILING = "The audit log can't be written, so every call is denied."
    AUDIT_MOVED = "The audit log's file was deleted or moved away, and could not be started again yet."
    CREDENTIAL_FAILING = (
        "A credential behind placeholders can't be obtained. "
        "Its calls get 503; all others work, so the proxy is ready."
    )
    DISK_FULL = "The disk of the audit log is full, so every call is about to be denied."

    @property
    def code(self) -> str:
        """What programs know it by."""
        return self.name.lower()


class Obstacle(NamedTuple):
    """One reason why a proxy is not ready, with what is known about this case."""

    reason: Reason
    detail: str = ""

    def shown(self) -> dict[str, str]:
        """As the status page has it."""
        said = {"reason": self.reason.code, "message": self.reason.value, "detail": self.detail}
        return {name: text for name, text in said.items() if text}
