"""An answer as text: a template (``text/NAME.j2``) over the very tree of plain data that ``--json`` prints.

INVARIANT: no value leaves a template but as printable text, so that what a client, a log or a policy under review wrote can
neither forge a line nor act on a terminal.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from click import style
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from brickscope.core.visible import visible
from brickscope.count import counted

from .shown import listed, moment
from .table import Column, fields, minute, shown, table


def render(name: str, tree: Mapping[str, Any]) -> list[str]:
    """The lines of an answer. ``name``: of its template. What is marked has colours, which click leaves out of a pipe."""
    return _environment().get_template(f"{name}.j2").render(tree).splitlines()


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__, "text"),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "counted": counted,
        "given": _given,
        "grouped": _grouped,
        "listed": listed,
        "marked": _marked,
        "minute": minute,
        "moment": moment,
        "number": "{:,}".format,
        "placed": _placed,
        "said": shown,
    }
    made.globals |= {"column": Column, "fields": fields, "label": _label, "table": table}
    return made


def _printable(value: Any) -> Markup:
    """A value as text that can act on no terminal. ``Markup`` is what was made so already."""
    if isinstance(value, Markup):
        return value
    return Markup("" if value is None else visible(str(value)))  # noqa: S704


def _marked(value: Any, colour: str = "", **attributes: bool) -> Markup:
    return Markup(style(_printable(value), colour or None, **attributes))  # noqa: S704 - for a terminal


def _placed(found: Mapping[str, Any]) -> str:
    """What was found at a place of a file."""
    words = (f"{found['file']}:{found['line']}", found.get("damage"), found["text"])
    return ": ".join(filter(None, words))


def _given(value: Any, text: str) -> str:
    """The text, with the value for a ``%s`` in it; nothing where there is no value."""
    return "" if not value else text % value if "%" in text else text


def _grouped(items: Iterable[Mapping[str, Any]], *keys: str) -> list[list[Mapping[str, Any]]]:
    """Items that have the same for some keys together, in the order of the first of each."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        found.setdefault(repr([item[key] for key in keys]), []).append(item)
    return list(found.values())


def _label(name: str, loop: Any) -> str:
    """The name of a field before the first of its lines, room before the others."""
    return f"{name}:".ljust(13) if loop.first else " " * 13
