"""The policy of the bench as other proxies can have it: by token, method, and a regular expression over the path.

Decisions are equal on the calls of the load, which is what is compared. They are not equal on hostile ones: no peer
reads a request as strictly as the product does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..variants import Stage

REFUSAL = b'{"error_code":"PERMISSION_DENIED","message":"denied by the bench\'s policy"}'
"""The body of every peer's 403, with the code that the load generator looks for."""

_VARIABLE = re.compile(r"\{\w+(\.\.\.)?\}")
# Special in POSIX extended and in Perl's regular expressions alike; re.escape escapes more than POSIX defines.
_SPECIAL = re.compile(r"[.\[\]()*+?{}|^$\\]")


class Grant(NamedTuple):
    """What one token may do: rules as (method, anchored expression over path and query)."""

    token: str
    rules: list[tuple[str, str]]

    def by_method(self) -> Iterator[tuple[str, list[str]]]:
        """The expressions of each method."""
        for method in sorted({method for method, _ in self.rules}):
            yield method, [path for each, path in self.rules if each == method]


def grants(stage: Stage) -> list[Grant]:
    """The policy of a stage."""
    return [Grant(token, _rules(texts)) for token, texts in zip(stage.tokens, stage.granted, strict=True)]


def _rules(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(text.partition(" ")[0], path_pattern(text.partition(" ")[2])) for text in texts]


def path_pattern(path: str) -> str:
    """The expression of a path with variables: ``{x}`` is one segment, ``{x...}`` the rest; a query may follow."""
    pattern, end = "", 0
    for found in _VARIABLE.finditer(path):
        pattern += _escape(path[end : found.start()]) + ("[^?]+" if found[1] else "[^/?]+")
        end = found.end()
    return f"^{pattern}{_escape(path[end:])}([?]|$)"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)
