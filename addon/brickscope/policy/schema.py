"""The JSON Schema of a policy file, for editors: made from the models, kept in ``rules/``."""

from __future__ import annotations

import json
from typing import Any

from .model import PolicyFile

URI = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema as plain data."""
    return {"$schema": URI, "title": "Brickscope policy file", **PolicyFile.model_json_schema()}


def render() -> str:
    """The schema as the text of ``rules/brickscope.schema.json``."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"
