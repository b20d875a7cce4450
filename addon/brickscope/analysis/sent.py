"""What a client would send, before it is read, and the one error of trying calls."""

from typing import NamedTuple

from brickscope.error import OperatorError


class Sent(NamedTuple):
    """``url``: whole, or a path with its query. ``headers``: besides Host and Content-Length. May hold secrets."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes = b""


class CallError(OperatorError, ValueError):
    """A call, parameter or subject that can't be understood. ``hint``: what to write instead (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.hint = hint
