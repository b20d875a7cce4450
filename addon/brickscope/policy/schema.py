"""The JSON Schema of a policy file, for editors: made from the models, kept in ``rules/``."""

import json
from typing import Any

from pydantic import BaseModel

from .model import PolicyFile

URI = "https://json-schema.org/draft/2020-12/schema"


def _forget_null(field: dict[str, Any]) -> None:
    """What may be missing may not be null (``model._given``); to pydantic both are one."""
    if "default" in field and field["default"] is None:
        del field["default"]
        kinds = [choice for choice in field.pop("anyOf") if choice != {"type": "null"}]
        field.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def render(model: type[BaseModel] = PolicyFile, title: str = "Brickscope policy file") -> str:
    """The schema of a kind of file as text, as it stands in ``rules/``."""
    made: dict[str, Any] = model.model_json_schema()
    for each in (made, *made["$defs"].values()):
        for field in each["properties"].values():
            _forget_null(field)
    return json.dumps({"$schema": URI, **made, "title": title}, indent=2, sort_keys=True) + "\n"
