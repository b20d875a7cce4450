"""Names of Unity Catalog: which are regular, and which object each names (Databricks documentation, SQL language, names)."""

from typing import Any

from .normal import disguise, is_regular_text, lines_are_regular
from .scalar import Kind, Objects, Read, ReadAll, distinct, is_text, read_text, without_case

MAX_PARTS = 3
"""Catalog, schema and what is in it."""
_ODD = ("..", "\n.", ".\n", "\n\n", ". ", " .")
"""What no two parts or names have between them."""


def read_uc_name(value: Any) -> Objects | None:
    """A name of one to three parts with dots between. Names are stored in small letters and called in any; whether letters
    beyond ASCII fold, nobody knows."""
    return _names(value, MAX_PARTS)


def read_uc_part(value: Any) -> Objects | None:
    """A name that is one part."""
    return _names(value, 1)


def _names(value: Any, most: int) -> Objects | None:
    if not is_text(value) or "`" in value:
        return None
    parts = value.split(".")
    if len(parts) > most or not all(part and is_regular_text(part) for part in parts):
        return None
    return without_case(value)


def read_uc_entity(value: Any) -> Objects | None:
    """A name of three parts, and a column after it, which may have any characters."""
    if not is_text(value):
        return None
    parts = value.split(".", MAX_PARTS)
    table = read_uc_name(".".join(parts[:MAX_PARTS]))
    if table is None or len(parts) <= MAX_PARTS:
        return table
    column = parts[MAX_PARTS]
    if not column or not is_regular_text(column):
        return None
    return distinct(f"{each}.{form}" for each in table for form in without_case(column))


def read_uc_resource(value: Any) -> Objects | None:
    """A name of Unity Catalog behind that of its collection: ``skills/main.a.x``."""
    if not is_text(value):
        return None
    collection, slash, name = value.rpartition("/")
    found = read_uc_name(name)
    if (
        found is None
        or not is_regular_text(collection)
        or (slash and any(map(disguise, collection.split("/"))))
    ):
        return None
    return tuple(f"{collection}{slash}{each}" for each in found)


def read_model_name(value: Any) -> Objects | None:
    """A model of Unity Catalog (with dots) or of the workspace's registry, whose case counts."""
    return read_uc_name(value) if isinstance(value, str) and "." in value else read_text(value)


def all_uc_names(lines: str) -> str | None:
    """Of many names of up to three parts."""
    if not lines.isascii() or "`" in lines or not lines_are_regular(lines):
        return None
    if lines[0] in ".\n" or lines[-1] in ".\n" or any([odd in lines for odd in _ODD]):  # noqa: C419 - a list is faster
        return None
    most = max([line.count(".") for line in lines.split("\n")])
    return lines.lower() if most < MAX_PARTS else None


def _model(text: str) -> tuple[str, ...]:
    return without_case(text) if "." in text else (text,)


def _suspect_model(text: str) -> tuple[str, ...]:
    return distinct((text, *without_case(text)))


def _uc_kind(name: str, read: Read, all_read: ReadAll | None = None) -> Kind:
    return Kind(name, read, read, all_read, all_read, ".", False, True, without_case, without_case)


NAMES = (
    _uc_kind("uc_name", read_uc_name, all_uc_names),
    _uc_kind("uc_part", read_uc_part),
    _uc_kind("uc_entity", read_uc_entity),
    _uc_kind("uc_resource", read_uc_resource),
    _uc_kind("model_name", read_model_name)._replace(part=_model, suspect_part=_suspect_model),
)
