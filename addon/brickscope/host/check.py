"""What one test found."""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """``NOTE``: worth knowing, and keeps no client from the proxy. ``SKIPPED``: an earlier problem forbids it."""

    OK = "ok"
    PROBLEM = "problem"
    NOTE = "note"
    SKIPPED = "skipped"


class Check(NamedTuple):
    """``name``: snake_case, for scripts. ``fix``: a line for the user's shell. ``client``: the stack it is about.
    ``variable``: that it is about, if it matters to those alone who read it."""

    name: str
    status: Status
    detail: str
    fix: str | None = None
    client: str | None = None
    variable: str | None = None


def ok(name: str, detail: str, client: str | None = None) -> Check:
    """No problems found."""
    return Check(name, Status.OK, detail, None, client)


def problem(name: str, detail: str, fix: str | None = None, client: str | None = None) -> Check:
    """It is not."""
    return Check(name, Status.PROBLEM, detail, fix, client)


def note(name: str, detail: str, client: str | None = None) -> Check:
    """Worth knowing."""
    return Check(name, Status.NOTE, detail, None, client)
