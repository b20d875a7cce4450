"""What reading gives or how it refuses, or the flaw for which no rule can allow it; and each has to tell people why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason


def tried[T](read: Callable[..., T], *args: Any) -> T | Refused:
    """What ``read`` returns, or the Refused that it raises or says to be a flaw. Anything else that it raises is an error of
    the test."""
    try:
        read_so = read(*args)
        flaw = getattr(read_so, "flaw", None)
        if flaw is None:
            return read_so
        found: Refused = flaw
    except Refused as refused:
        found = refused
    assert isinstance(found.reason, Reason)
    assert_tells(found.detail)
    assert str(found) == found.detail
    return found


def refusal(read: Callable[..., Any], *args: Any) -> tuple[Reason, str]:
    """The reason and detail that ``read`` refuses with; it has to refuse."""
    found = tried(read, *args)
    assert isinstance(found, Refused), f"{found!r} was read"
    return found.reason, found.detail


def assert_tells(detail: object) -> None:
    """A detail is a sentence in printable ASCII."""
    assert isinstance(detail, str)
    assert len(detail.split()) >= 4, detail
    assert detail == detail.strip()
    assert detail.isascii()
    assert detail.isprintable()
    assert "None" not in detail
