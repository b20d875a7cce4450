"""The JSON Schema of a policy file, for editors: made from the models, kept in ``rules/``."""

from __future__ import annotations

import json
from typing import Any

from .model import PolicyFile

URI = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema as plain data."""
    made: dict[str, Any] = PolicyFile.model_json_schema()
    for model in (made, *made["$defs"].values()):
        for field in model["properties"].values():
            _forget_null(field)
    return {"$schema": URI, **made, "title": "Brickscope policy file"}


def _forget_null(field: dict[str, Any]) -> None:
    """What may be missing may not be null (``model._given``); to pydantic both are one."""
    if "default" in field and field["default"] is None:
        del field["default"]
        kinds = [choice for choice in field.pop("anyOf") if choice != {"type": "null"}]
        field.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def render() -> str:
    """The schema as the text of ``rules/brickscope.schema.json``."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"
