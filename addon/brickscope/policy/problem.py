"""What is wrong with a policy, said so that it can be mended: where, what, and the nearest right thing."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from brickscope.core.credential import TOKEN_SHAPE
from brickscope.error import OperatorError


class Position(NamedTuple):
    """A place in a file; line and column count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0


class Problem(NamedTuple):
    """One finding. ``severity`` is ``error`` or ``warning``; ``source`` the offending line, if there is one."""

    position: Position
    severity: str
    message: str
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        file, line, column = self.position
        place = f"{file}:{line}:{column}" if line else file
        hint = f" ({self.hint})" if self.hint else ""
        return redact(f"{place}: {self.severity}: {self.message}{hint}")

    def render(self) -> str:
        """The problem with its source line and a caret below the place."""
        if not quotable(self.source):
            return str(self)
        return f"{self}\n    {self.source}\n    {' ' * (self.position.column - 1)}^"


class PolicyError(OperatorError):
    """A policy that can't be used; ``problems`` holds every error found, in order of place."""

    def __init__(self, problems: Iterable[Problem], what: str = "The policy") -> None:
        self.problems = sorted(problems, key=lambda problem: problem.position)
        count = len(self.problems)
        head = f"{what} has {count} error{'s' if count > 1 else ''}; nothing of it is in force."
        lines = [head, *(problem.render() for problem in self.problems[:SHOWN])]
        if count > SHOWN:
            lines.append(f"... and {count - SHOWN} more")
        super().__init__("\n".join(lines))


SHOWN = 100
"""How many problems the text of a PolicyError holds: one slip can make as many as there are tokens."""
_LONGEST = 200
# A fingerprint that is none: whoever wrote a token there did not always write one of a known shape.
_NO_FINGERPRINT = re.compile(
    r"""(?:fingerprint|placeholder)["']?\s*:\s*(?!["']?sha256:[0-9a-f]{64}(?![0-9A-Za-z]))[^\s#]""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+\S+")


def redact(text: str) -> str:
    """Text without anything that looks like a token: people paste them into the wrong place."""
    return _BEARER.sub(r"\1 [redacted]", TOKEN_SHAPE.sub("[redacted]", text))


def quotable(line: str) -> bool:
    """Whether a source line may be shown: it holds no token, it is short, and a caret below it would be in place."""
    return (
        0 < len(line) <= _LONGEST
        and "\t" not in line
        and redact(line) == line
        and not _NO_FINGERPRINT.search(line)
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean ...?`` for the known word closest to a wrong one, or an empty string."""
    candidates: Sequence[str] = sorted(known)
    close = difflib.get_close_matches(word, candidates, 1, 0.6)
    return f"did you mean {close[0]!r}?" if close else ""
