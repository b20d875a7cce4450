"""What a decision may have to ask about the world: verified tokens and the workspace behind a host.

The core asks through this protocol and never waits: what is not known yet is raised as ``NotYetKnown``, whoever
called fetches it and decides again. ``brickscope.identity`` provides it.
"""

from typing import Protocol

from .jwt_token import Claims
from .policy import Policy


class Directory(Protocol):
    """Answers from what is at hand, or raises NotYetKnown."""

    def verify(
        self,
        policy: Policy,
        token: bytes,
        fingerprint: str,
        host: str,
        now: float,
        *,
        management: bool = False,
    ) -> Claims:
        """The claims of an OAuth token that counts on ``host``. Raises Refused with the reason it does not.

        ``management``: it comes beside the bearer, for the management of Azure.
        """
        ...

    def workspace_of(self, host: str, now: float) -> str | None:
        """The id of the one workspace that a host serves, by its own word; None if it serves several or is silent."""
        ...
