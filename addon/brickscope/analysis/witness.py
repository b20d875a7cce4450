"""A call that shows a claim about a policy: made only of one that the decision function let go on."""

from typing import NamedTuple

from brickscope.core.request import ApiRequest

from .call import Call


class Witness(NamedTuple):
    """``subject``: for whom it was asked, None for a rule set nobody has. ``operation``: what it was. ``rule``: what allows
    it, and ``entry``: which under ``allow``; none where a grant does, or monitor mode lets it go on. Of two policies:
    ``client``, its address; ``now``, when (seconds since the epoch); ``before``, why the old one denied it."""

    subject: str | None
    call: Call
    operation: str | None
    rule: str | None
    client: str = ""
    now: float = 0.0
    before: str = ""
    entry: int = -1

    @property
    def method(self) -> str:
        """Of the request."""
        return self._request.method

    @property
    def url(self) -> str:
        """With host and query."""
        request = self._request
        query = f"?{request.query}" if request.query else ""
        return f"https://{request.host}{request.path}{query}"

    @property
    def _request(self) -> ApiRequest:
        assert isinstance(
            self.call.request, ApiRequest
        )  # what the proxy refuses for its shape, nothing lets go on
        return self.call.request

    @property
    def body(self) -> str:
        """As it would be sent, empty for none."""
        return self.call.body.decode()
