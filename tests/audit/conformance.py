"""Holds exported events against excerpts of the published definitions (``definitions/``)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Event = dict[str, Any]
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@cache
def definitions(name: str) -> dict[str, Any]:
    text = (Path(__file__).parent / "definitions" / f"{name}.yaml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and "%" not in value and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# -- ECS -------------------------------------------------------------------------------------------------------------


def _leaves(value: Event, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in value.items():
        if isinstance(each, dict):
            yield from _leaves(each, f"{path}{name}.")
        else:
            yield f"{path}{name}", each


def _fits_ecs(kind: str, value: Any) -> bool:
    match kind:
        case "date":
            return isinstance(value, str) and bool(_DATE.fullmatch(value))
        case "long":
            return _is_whole(value)
        case "ip":
            return _is_address(value)
        case _:
            return isinstance(value, str)


def ecs_problems(event: Event) -> list[str]:
    """What is wrong with a document, by the schema; empty if nothing is. Our own object is out of its reach."""
    known = definitions("ecs")
    found = []
    leaves = {path: value for path, value in _leaves(event) if not path.startswith("brickscope.")}
    found += [f"{path} is required" for path in known["required"] if path not in leaves]
    for path, value in leaves.items():
        kind, _, array = known["fields"].get(path, "").partition(" ")
        if not kind:
            found.append(f"there is no field {path}")
            continue
        if isinstance(value, list) is not (array == "array"):
            found.append(f"{path} {'is no list' if array else 'is a list'}")
            continue
        values = value if array else [value]
        found += [f"{path}: {each!r} is no {kind}" for each in values if not _fits_ecs(kind, each)]
        allowed = known["allowed"].get(path)
        found += [f"{path}: {each!r} is not allowed" for each in values if allowed and each not in allowed]
    expected = {
        each for category in event["event"].get("category", []) for each in known["expected_types"][category]
    }
    found += [f"type {each} goes with no category" for each in event["event"]["type"] if each not in expected]
    return found


# -- OCSF ------------------------------------------------------------------------------------------------------------


def _fits_ocsf(kind: str, value: Any) -> bool:
    match kind:
        case "integer_t" | "long_t":
            return _is_whole(value)
        case "timestamp_t":
            return _is_whole(value) and value > 10**12
        case "port_t":
            return _is_whole(value) and 0 <= value < 65536
        case "boolean_t":
            return isinstance(value, bool)
        case "ip_t":
            return _is_address(value)
        case "json_t":
            return True
        case "object":
            return isinstance(value, dict)
        case _:
            return isinstance(value, str)


def _of_object(name: str, known: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is no object"
        return
    attributes = known["attributes"]
    for attribute, told in attributes.items():
        if told.endswith(" required") and attribute not in value:
            yield f"{path}.{attribute} is required"
    one_of = known.get("at_least_one")
    if one_of and not any(each in value for each in one_of):
        yield f"{path} has none of {one_of}"
    for attribute, each in value.items():
        if attribute not in attributes:
            yield f"{path}.{attribute} is no attribute of {name}"
            continue
        kind, *rest = attributes[attribute].split()
        if isinstance(each, list) is not ("array" in rest) and kind != "json_t":
            yield f"{path}.{attribute}: a list, or none where one is wanted"
            continue
        enums = definitions("ocsf")["enums"]
        numbers = enums.get(f"{name}.{attribute}") or enums.get(attribute)
        for item in each if "array" in rest else [each]:
            if kind in definitions("ocsf")["objects"]:
                yield from _of_object(kind, definitions("ocsf")["objects"][kind], item, f"{path}.{attribute}")
            elif not _fits_ocsf(kind, item):
                yield f"{path}.{attribute}: {item!r} is no {kind}"
            elif numbers and numbers.get(item) is None:
                yield f"{path}.{attribute}: {item!r} is no number of it"
            elif numbers and item != 99 and value.get(attribute[:-3], numbers[item]) != numbers[item]:
                yield f"{path}.{attribute}: the caption of {item} is {numbers[item]!r}"


def ocsf_problems(event: Event) -> list[str]:
    """What is wrong with an event, by the schema; empty if nothing is."""
    schema = definitions("ocsf")
    kind = schema["classes"].get(event.get("class_uid"))
    if kind is None:
        return [f"there is no class {event.get('class_uid')}"]
    found = list(_of_object(kind["caption"], kind, event, "event"))
    activity = event.get("activity_id")
    name = kind["activities"].get(activity)
    expected = {
        "category_uid": event["class_uid"] // 1000,
        "category_name": kind["category"],
        "class_name": kind["caption"],
        "type_uid": event["class_uid"] * 100 + (activity or 0),
        "type_name": f"{kind['caption']}: {name}",
    }
    found += [
        f"{key} is {event[key]!r}, not {value!r}" for key, value in expected.items() if event[key] != value
    ]
    if name is None or (activity != 99 and event["activity_name"] != name):
        found.append(f"activity {activity} {event['activity_name']!r}")
    profile = set(schema["profiles"]["security_control"])
    if profile & set(event) and "security_control" not in event["metadata"].get("profiles", []):
        found.append("attributes of a profile that metadata.profiles does not name")
    return found
