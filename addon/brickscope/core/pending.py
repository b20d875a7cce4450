"""What a decision may have to wait for. The core never waits: it says what it needs, and is asked again."""


class NotYetKnown(Exception):
    """A decision needs a document that was not fetched yet: ``url``, of ``host``. Fetch it, then decide again."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class BodyNeeded(Exception):
    """A decision needs the request's body, of at most ``limit`` bytes. Hold it back, then decide again."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit
