"""The parameters of one call: path variables, query values and body, each in one place and under one name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from .body import read_body
from .decision import Refused
from .path import fold
from .reason import Reason
from .request import ApiRequest
from .template import Template, bind

ABSENT: Any = object()


class Parameters(NamedTuple):
    """What a call carries: decoded path variables and query values, and the JSON object of its body.

    ``names``: of all query parameters and of the body's own keys, as they were written.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    names: frozenset[str]


def read_parameters(request: ApiRequest, template: Template, body: bytes | None) -> Parameters:
    """Read them. ``body``: None where it was not held, and is none of the matter.

    Raises Refused: PARAMETER_TWICE, QUERY_NOT_CANONICAL, or what ``read_body`` raises.
    """
    query: dict[str, str] = {}
    if request.query:
        for pair in re.split("[&;]", request.query):
            name, _, value = pair.partition("=")
            name, value = _decode(name), _decode(value)
            # Twice: servers take the first, the last, or both as a list.
            query[name] = value if name not in query else _TWICE
    content = {} if body is None else read_body(request, body)
    return Parameters(
        bind(template, request.segments),
        query,
        content,
        frozenset(name for name in query if name) | content.keys(),
    )


_TWICE = "\0twice"


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8").replace("\0", "\ufffd")
    except UnicodeDecodeError:
        raise Refused(Reason.QUERY_NOT_CANONICAL, "the query's percent-encoding is not UTF-8") from None


def refuse_doubles(parameters: Parameters, place: str, keys: tuple[str, ...]) -> None:
    """Refuse a parameter that is given twice, in two places, in another place than the API reads it, or beside a name
    that a server could take for the same one (``jobId`` for ``job_id``: JSON of protocol buffers knows both).

    Raises Refused(PARAMETER_TWICE or PARAMETER_MISPLACED).
    """
    name = keys[0]
    places: list[tuple[str, Mapping[str, Any]]] = [
        ("path", parameters.path),
        ("query", parameters.query),
        ("body", parameters.body),
    ]
    found = [where for where, holder in places if _holds(holder, name)]
    if len(found) > 1 or parameters.query.get(name) == _TWICE:
        raise Refused(Reason.PARAMETER_TWICE, f"the parameter {name!r} is given twice")
    if found and found[0] != place:
        raise Refused(
            Reason.PARAMETER_MISPLACED,
            f"the parameter {name!r} is given in the {found[0]}; the API reads it in the {place}",
        )
    if place == "body":
        _descend(parameters.body, keys)


def _holds(holder: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter is there; refused if another name could be taken for it."""
    wanted = fold(name)
    for key in holder:
        # `queue.enabled=` and `job_id[]=` in a query are parts of `queue` and `job_id` to some readers.
        if key != name and wanted in (fold(key), fold(re.split(r"[.\[]", key, maxsplit=1)[0])):
            raise Refused(Reason.PARAMETER_TWICE, f"a name could be taken for the parameter {name!r}")
    return name in holder


def _descend(value: Any, keys: tuple[str, ...]) -> None:
    if isinstance(value, list):
        for each in value:
            _descend(each, keys)
    elif isinstance(value, dict) and keys and _holds(value, keys[0]):
        _descend(value[keys[0]], keys[1:])


UNREADABLE: tuple[()] = ()
"""Stands for a value that meets no test: an empty list, a list in a list, something below what is no object."""


def look(parameters: Parameters, place: str, keys: tuple[str, ...]) -> Any:
    """The value that a constraint looks at, for the log; ABSENT where there is none. Through a list it is the list of
    what its elements have, which meets a test exactly if they all do (an element without it counts as None)."""
    if place != "body":
        found = parameters.path if place == "path" else parameters.query
        return found.get(keys[0], ABSENT)
    return _look(parameters.body, keys)


def _look(value: Any, keys: tuple[str, ...]) -> Any:
    if not keys:
        return value
    if isinstance(value, list):
        gathered: list[Any] = []
        for each in value:
            found = _look(each, keys)
            if not isinstance(found, list):
                gathered.append(None if found is ABSENT else found)
            elif not found or any(isinstance(inner, list) for inner in found):
                gathered.append(UNREADABLE)
            else:
                gathered += found
        return gathered
    if value is ABSENT or value is None:
        return ABSENT
    return _look(value.get(keys[0], ABSENT), keys[1:]) if isinstance(value, Mapping) else UNREADABLE


def others(parameters: Parameters, known: Iterable[str]) -> list[str]:
    """The names of parameters that are not among ``known``. The choice of a workspace is no parameter."""
    return sorted(parameters.names - set(known) - {"o"})
