"""Calls of the official SDK with arguments made up from its own type hints: one for each operation of the catalogue."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import importlib
import inspect
import io
import re
import types
import typing
from collections.abc import Callable
from typing import Any

from databricks.sdk.common.types.fieldmask import FieldMask
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from brickscope.catalog.catalog import Operation

MAX_DEPTH = 6


def method_of(operation: Operation, name: str, workspace: Any, account: Any) -> Callable[..., Any]:
    """The generated method behind a name, bound; not one that a convenience class puts over it."""
    service, _, method = name.rpartition(".")
    owner = account if service.startswith("account.") else workspace
    attributes = service.removeprefix("account.").split(".")
    if not hasattr(owner, attributes[0]):  # a class that hangs off no client
        module = importlib.import_module(f"databricks.sdk.service.{attributes[0]}")
        owner = getattr(module, f"{attributes[0].title()}API")(workspace.api_client)
    else:
        for attribute in attributes:
            owner = getattr(owner, attribute)
    for base in type(owner).__mro__:
        if base.__module__.startswith("databricks.sdk.service.") and method in vars(base):
            bound: Callable[..., Any] = types.MethodType(vars(base)[method], owner)
            return bound
    raise LookupError(f"{name} is no method of {type(owner).__name__}")


def arguments_for(operation: Operation, method: Callable[..., Any]) -> dict[str, Any]:
    """An argument for each parameter that has no default; path parameters as the first call of the operation has them."""
    function = method.__func__  # type: ignore[attr-defined]
    hints = typing.get_type_hints(function, vars(inspect.getmodule(function)))
    found: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(method).parameters.items()):
        if parameter.default is inspect.Parameter.empty:
            found[name] = path_value(operation, name) or value_for(hints.get(name, str), name)
    return found


def path_value(operation: Operation, name: str) -> str | None:
    """A value for a path variable whose shape the catalogue knows."""
    template = operation.calls[0]
    shaped = re.search(rf"\{{{name}=([^}}]*)\}}", template)
    if shaped:
        return shaped[1].replace("*", "v1")
    if "/fs/" in template and f"{{{name}...}}" in template:
        return "/Volumes/main/s/v/x"
    return "v1/v2" if f"{{{name}...}}" in template else None


def value_for(hint: Any, name: str, depth: int = 0) -> Any:
    """Some value of a type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return value_for(next(each for each in inner if each is not type(None)), name, depth)
    if origin in (list, typing.List):  # noqa: UP006
        return [value_for(inner[0], name, depth + 1)] if depth < MAX_DEPTH else []
    if origin in (dict, typing.Dict):  # noqa: UP006
        return {}
    simple: dict[Any, Any] = {
        str: "v1",
        int: 7,
        float: 1.5,
        bool: True,
        bytes: b"x",
        FieldMask: FieldMask(["name"]),
        Duration: Duration(seconds=1),
        Timestamp: Timestamp(seconds=1),
        datetime.datetime: datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        Any: {},
        dict: {},
        list: [],
        typing.BinaryIO: io.BytesIO(b"x"),
    }
    if hint in simple:
        return io.BytesIO(b"x") if hint is typing.BinaryIO else simple[hint]
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return next(iter(hint))
    if dataclasses.is_dataclass(hint) and inspect.isclass(hint):
        hints = typing.get_type_hints(hint, vars(inspect.getmodule(hint)))
        required = [
            field
            for field in dataclasses.fields(hint)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        made = hint(**{field.name: value_for(hints[field.name], field.name, depth + 1) for field in required})
        for field in dataclasses.fields(hint):
            # `PATCH .../{thing.name}`: the path is taken from the object.
            if field.name in ("name", "id", "setting_name") and getattr(made, field.name, None) is None:
                setattr(made, field.name, "v1")
        return made
    return "v1"


def perform(method: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Make the call, and read the first element of what is a list."""
    answer = method(**arguments)
    if inspect.isgenerator(answer):
        next(answer, None)
