"""JSON schemas. Their validator is imported with the first: that takes two seconds in each process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jsonschema


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """The validator of a schema. Raises jsonschema.SchemaError for one that is none."""
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)
