"""What a client would send, before it is read."""

from typing import NamedTuple


class Sent(NamedTuple):
    """``url``: whole, or a path with its query. ``headers``: besides Host and Content-Length. May hold secrets."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes = b""
