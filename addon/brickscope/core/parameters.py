"""The parameters of one call: path variables, query values and body, each in one place and under one name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from .body import read_body
from .decision import Refused
from .path import fold
from .reason import Reason
from .request import ApiRequest
from .template import Template, bind

ABSENT: Any = object()


MAX_NAMES = 2000
"""Most names that one object or query may have where a rule looks at one of them; the API's own have some dozens."""


class Parameters:
    """What a call carries: decoded path variables and query values, and the JSON object of its body.

    ``names``: of all query parameters and of the body's own keys, as they were written.
    """

    __slots__ = ("_folds", "body", "names", "path", "query")

    def __init__(self, path: Mapping[str, str], query: Mapping[str, str], body: Mapping[str, Any]) -> None:
        self.path = path
        self.query = query
        self.body = body
        self.names = frozenset(name for name in query if name) | body.keys()
        self._folds: dict[int, dict[str, list[str]]] = {}

    def similar(self, holder: Mapping[str, Any], name: str) -> list[str]:
        """The names in a part of these parameters that a server could take for ``name``, itself among them.

        Each part is gone through once, however many rules ask. Raises Refused(TOO_LARGE).
        """
        folds = self._folds.get(id(holder))
        if folds is None:
            if len(holder) > MAX_NAMES:
                raise Refused(Reason.TOO_LARGE, f"an object with parameters has more than {MAX_NAMES} names")
            folds = {}
            for key in holder:
                # `queue.enabled=` and `job_id[]=` in a query are parts of `queue` and `job_id` to some readers.
                for form in {fold(key), fold(_PART.split(key, maxsplit=1)[0])}:
                    folds.setdefault(form, []).append(key)
            self._folds[id(holder)] = folds
        return folds.get(fold(name), [])


_PART = re.compile(r"[.\[]")


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
    return Parameters(bind(template, request.segments), query, content)


_TWICE = "\0twice"


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8").replace("\0", "\ufffd")
    except UnicodeDecodeError:
        raise Refused(Reason.QUERY_NOT_CANONICAL, "the query's percent-encoding is not UTF-8") from None


# Jobs API 2.0: one task in the job's own keys, in place of `tasks` (databricks-cli 0.18; docs "Updating from Jobs API 2.0 to
# 2.1"). Which of the two a server takes that is sent both is not known.
_RIVALS = {
    "tasks": (
        "notebook_task",
        "spark_jar_task",
        "spark_python_task",
        "spark_submit_task",
        "python_wheel_task",
        "pipeline_task",
        "sql_task",
        "dbt_task",
        "run_job_task",
        "existing_cluster_id",
        "new_cluster",
    )
}


def refuse_doubles(parameters: Parameters, place: str, keys: tuple[str, ...]) -> None:
    """Refuse a parameter that is given twice, in two places, in another place than the API reads it, or beside a name
    that a server could take for the same one (``jobId`` for ``job_id``: JSON of protocol buffers knows both).

    Raises Refused(PARAMETER_TWICE, PARAMETER_MISPLACED or TOO_LARGE).
    """
    name = keys[0]
    places: list[tuple[str, Mapping[str, Any]]] = [
        ("path", parameters.path),
        ("query", parameters.query),
        ("body", parameters.body),
    ]
    found = [where for where, holder in places if _holds(parameters, holder, name)]
    if found == ["path", "body"] and _is_same(parameters.path[name], parameters.body[name]):
        # The official SDK sends whole objects, which repeat the name that stands in the path.
        found = [place]
    if len(found) > 1 or parameters.query.get(name) == _TWICE:
        raise Refused(Reason.PARAMETER_TWICE, f"the parameter {name!r} is given twice")
    if found and found[0] != place:
        raise Refused(
            Reason.PARAMETER_MISPLACED,
            f"the parameter {name!r} is given in the {found[0]}; the API reads it in the {place}",
        )
    if place == "body":
        _descend(parameters, parameters.body, keys)


def _is_same(in_path: str, in_body: Any) -> bool:
    return isinstance(in_body, str | int) and not isinstance(in_body, bool) and str(in_body) == in_path


def _holds(parameters: Parameters, holder: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter is there; refused if another name could be taken for it."""
    whole = name.partition(".")[0]
    if any(key != name for key in parameters.similar(holder, name)) or (
        # `filter_by.statuses` is one member of `filter_by`; all of it may be sent in one piece, too.
        whole != name and any("." not in key and "[" not in key for key in parameters.similar(holder, whole))
    ):
        raise Refused(Reason.PARAMETER_TWICE, f"a name could be taken for the parameter {name!r}")
    for rival in _RIVALS.get(name, ()):
        if parameters.similar(holder, rival):
            raise Refused(
                Reason.PARAMETER_TWICE, f"{rival!r} could be taken in place of the parameter {name!r}"
            )
    return name in holder


def _descend(parameters: Parameters, value: Any, keys: tuple[str, ...]) -> None:
    if isinstance(value, list):
        for each in value:
            _descend(parameters, each, keys)
    elif isinstance(value, dict) and keys and _holds(parameters, value, keys[0]):
        _descend(parameters, value[keys[0]], keys[1:])


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


def others(parameters: Parameters, known: Collection[str]) -> list[str]:
    """The names of parameters that are not among ``known``, nor members of one (``filter_by.statuses``).

    The choice of a workspace is no parameter, nor is a body's repetition of what stands in the path.
    """
    return sorted(
        name
        for name in parameters.names
        if name != "o"
        and name not in known
        and name.partition(".")[0] not in known
        and not (
            name in parameters.path
            and name not in parameters.query
            and _is_same(parameters.path[name], parameters.body[name])
        )
    )
