"""An operation with parameters as a request: each parameter where the catalogue says that the API reads it."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from brickscope.catalog.catalog import HTTPS, Operation, call_template, load_catalog
from brickscope.core.message import RESPONSE
from brickscope.core.path import APP
from brickscope.core.template import Literal, Rest, Template
from brickscope.policy.problem import nearest

from .sent import CallError, Sent

# What a path segment may hold unencoded (core/path.py); unreserved characters must be.
_SEGMENT = "-._~!$&'()*+,=:@"


VARIABLE = re.compile(r"\{(\w+)")


def place(name: str, parameters: Mapping[str, Any], index: int = 0) -> Sent:
    """The request for an operation by its ``index``-th call. A dotted name (``queue.enabled``) leads into the body; where a
    list is on its way (``tasks.notebook_task``), it is one of one element.

    Raises CallError: no such operation or parameter, or a path variable that is missing or does not fit.
    """
    operation = find_operation(name)
    path: dict[str, str] = {}
    query: list[str] = []
    body: dict[str, Any] = {}
    for name_or_word, value in parameters.items():
        key = operation.way(name_or_word)
        first, *below = operation.keys_of(name_or_word)
        where = operation.place(key) or operation.place(first)
        if where is None:
            known = [*operation.path, *operation.query, *operation.body]
            hint = nearest(first, known) or (f"it has {', '.join(known[:12])}" if known else "it has none")
            raise CallError(f"{operation.name} has no parameter {first!r}", hint)
        if where == "body":
            _put(operation, body, [key] if key in operation.body else [first, *below], value)
        elif where == "path":
            path[key] = as_text(value)
        else:
            values = value if isinstance(value, list) else [value]
            query += [f"{quote(key, safe='.')}={quote(as_text(each), safe='')}" for each in values]
    call = operation.calls[index]
    if index == 0:  # what the call names says which it is: a server, or an app
        called = (each for each in operation.calls if set(VARIABLE.findall(each)) == set(path))
        call = next(called, call)
    method, _, template = call.partition(" ")
    target = fill(call_template(template), path, operation.name, operation.encoded)
    if template.startswith(HTTPS):
        target = HTTPS + target.removeprefix(f"/{quote(APP)}/")
    if query:
        target += f"?{'&'.join(query)}"
    whole = envelope(operation, body)
    if not whole:
        return Sent(method, target, [])
    content = json.dumps(whole, ensure_ascii=False).encode()
    return Sent(method, target, [("Content-Type", "application/json")], content)


def envelope(operation: Operation, body: dict[str, Any]) -> dict[str, Any]:
    """The body of a call as it is sent: of an operation that is a method of JSON-RPC, one message with it for params."""
    if not operation.messages:
        return body
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": 1}
    method = operation.messages[0]
    if method == RESPONSE:
        return message | {"result": body}
    if method.startswith("notifications/"):
        del message["id"]
    message["method"] = method
    return message | {"params": body} if body else message


def find_operation(name: str) -> Operation:
    """An operation by its name. Raises CallError with the nearest one."""
    catalog = load_catalog()
    operation = catalog.find(name)
    if operation is None:
        raise CallError(
            f"there is no operation {name[:80]!r}",
            nearest(name[:80], catalog.names) or "brickscope catalog search WORDS",
        )
    return operation


def fill(template: Template, values: Mapping[str, str], owner: str, encoded: Collection[str] = ()) -> str:
    """A template's path with these values for its variables. ``owner``: whose it is, for the error. ``encoded``: variables
    of one segment whose value may hold slashes, which are then sent encoded.

    Raises CallError where a value is missing, or is not of as many segments as its variable.
    """
    segments = template.segments
    wanted: dict[str, int] = {}
    for part in segments:
        if part.name:
            wanted[part.name] = wanted.get(part.name, 0) + 1
    left: dict[str, list[str]] = {}
    for name, count in wanted.items():
        if name not in values:
            raise CallError(f"{owner} needs the parameter {name!r}", f"{name}=…")
        rest = any(isinstance(part, Rest) and part.name == name for part in segments)
        whole = count == 1 and not rest and name in encoded
        pieces = [values[name]] if whole else values[name].removeprefix("/").split("/")
        if len(pieces) < count or (len(pieces) > count and not rest):
            raise CallError(
                f"the value of {name!r} does not fit {template}",
                f"it is {count} segment{'s' if count > 1 else ''} of the path",
            )
        left[name] = pieces
    made: list[str] = []
    for at, part in enumerate(segments):
        if not part.name:
            made.append(part.text if isinstance(part, Literal) else "")
            continue
        pieces = left[part.name]
        later = sum(1 for each in segments[at + 1 :] if each.name == part.name)
        taken, left[part.name] = (
            (pieces[: len(pieces) - later], pieces[len(pieces) - later :])
            if isinstance(part, Rest)
            else (pieces[:1], pieces[1:])
        )
        if isinstance(part, Literal):
            if taken[0] != part.text:
                raise CallError(
                    f"the value of {part.name!r} does not fit {template}", f"{part.text!r} is fixed"
                )
        elif part.verb is not None:
            taken = [*taken[:-1], f"{taken[-1]}:{part.verb}"]
        made += taken
    return "/" + "/".join(quote(each, safe=_SEGMENT) for each in made)


def as_text(value: Any) -> str:
    """A value as a path or query has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _put(operation: Operation, body: dict[str, Any], keys: list[str], value: Any) -> None:
    for depth, key in enumerate(keys[:-1], 1):
        listed = (operation.type_of(tuple(keys[:depth])) or "").startswith("[")
        below = body.setdefault(key, [{}] if listed else {})
        below = below[0] if isinstance(below, list) and below else below
        if not isinstance(below, dict):
            raise CallError(f"{'.'.join(keys)!r} leads into {key!r}, which is no object")
        body = below
    body[keys[-1]] = value
