"""Values as JSON has them, and JSON that can act on no terminal."""

import json
from datetime import date, datetime
from typing import Any


def plain(value: Any) -> Any:
    """A value as JSON has it: times in RFC 3339, UTC."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return (
        value.isoformat()
        if isinstance(value, date)
        else value.hex()
        if isinstance(value, bytes)
        else str(value)
    )


def to_json(value: Any) -> str:
    """One line of JSON in ASCII: nothing in it can act on a terminal."""
    return json.dumps(plain(value), ensure_ascii=True)
