"""Values and moments in the words of an answer: printable, clipped, without secrets."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import ABSENT
from brickscope.log.record import printable
from brickscope.policy.problem import Position
from brickscope.policy.written import WrittenRule

MAX_VALUE = 80
MAX_TEXT = 256
MAX_ELEMENTS = 20
MOST = 6
"""How many names a sentence has before it counts the rest."""


def shown(value: Any) -> str:
    """A parameter's value as JSON; ``absent`` for none."""
    if value is ABSENT or value is None:
        return "absent"
    text = json.dumps(plain(value))
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def plain(value: Any) -> Any:
    """A parameter's value as plain data fit to be shown: text made printable and clipped, objects as their keys."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value[:MAX_ELEMENTS]]
    if isinstance(value, Mapping):
        return {"keys": [printable(str(key))[:MAX_VALUE] for key in list(value)[:MAX_ELEMENTS]]}
    return printable(str(value))[:MAX_TEXT]


def quoted(text: str) -> str:
    """A piece of what a client or a log says, in quotes."""
    return f"'{printable(text)[:MAX_VALUE]}'"


def moment(seconds: float) -> str:
    """A time in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def place(position: Position) -> str:
    """``file:line:column``."""
    return f"{position.file}:{position.line}:{position.column}" if position.line else position.file


def rule_data(rule: WrittenRule) -> dict[str, str]:
    """A rule as it is written, and where."""
    return {"rule": rule.text, "place": place(rule.position)}


def listed(words: Sequence[str], most: int) -> str:
    """Words in a list, and how many more there are."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def verdict(allow: bool) -> str:
    """A decision in a word."""
    return "allow" if allow else "deny"


def risk(operation: str | None) -> str:
    """Class and risk of an operation of the catalogue, in a sentence; empty for none."""
    found = None if operation is None else load_catalog().operations.get(operation)
    if found is None:
        return ""
    return f"class {found.kind}" + (f": {found.risk}" if found.risk else "")
