"""The rule that somebody meant who wrote a URL, a regular expression, a wildcard, or another case of letters.

Words for people only: nothing is ever read as what is proposed here.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.core.path import APP
from brickscope.core.rule import METHODS, Rule, parse_rule
from brickscope.core.template import Literal, Template, TemplateError

from .problem import nearest

_NAMED = re.compile(r":(\w+)|<(\w+)>|\{(\w+)\}")
"""One segment as Flask, Rails or OpenAPI name it."""
_REST = re.compile(r"\.[*+]|\*\*?")
_ONE = re.compile(r"\{\}|\*|\.\*|\.\+|\(?\[[^\]]*\][*+]\)?|\\[wd][*+]|%")
_ORIGIN = re.compile(r"\A[^/?#]*://[^/?#]*")
_SEGMENT = re.compile(r"\(?\[\^/\][*+]\)?")
"""One segment of any value, as a regular expression, a shell or SQL writes it."""


def meant(text: str) -> str:
    """What to write instead of a line that is no rule, or matches nothing: a whole rule; empty where nobody can tell."""
    words = text.split()
    target = words[-1] if words else ""
    methods = re.split("[,|]", words[0].upper()) if len(words) == 2 else ["GET"]
    methods = ["GET"] if methods in (["ANY"], ["*"], ["ALL"]) else methods
    if len(words) not in (1, 2) or not set(methods) <= set(METHODS):
        return ""
    target = target.strip("^$")
    path = re.split("[?#]", _ORIGIN.sub("", target))[0]
    segments = unquote(_SEGMENT.sub("{}", path)).strip("/").split("/")
    last = len(segments) - 1
    written = [_segment(each, index, index == last) for index, each in enumerate(segments)]
    found = [_known(f"{method} /{'/'.join(written)}") for method in methods]
    return "" if None in found else " and ".join(each.text for each in found if each is not None)


@lru_cache(1024)  # a policy is loaded again and again, and each look takes a quarter of a second
def like(text: str) -> str:
    """The known call most like a rule that matches none, in words; may be empty."""
    calls = (f"{each.method} {each.template}" for each in operation_table().rules)
    return nearest(text, (call for call in calls if APP not in call))


def is_known(rule: Rule) -> bool:
    """Whether the catalogue has a call that the rule matches."""
    return bool(operation_table().meeting(rule))


def name_meant(text: str) -> str:
    """The operation, or all of a service, that somebody meant who wrote it as the CLI or as Python does; may be empty."""
    catalog = load_catalog()
    name = re.sub(r"\(.*|\s*--.*", "", text).strip().replace("-", "_").replace(" ", ".")
    name = name.removeprefix("databricks.").removeprefix("w.").removesuffix(".*")
    return f"{name}.*" if name in catalog.services else name if catalog.find(name) else ""


def _segment(text: str, index: int, last: bool) -> str:
    name = _NAMED.fullmatch(text)
    if name:
        return "{%s}" % next(filter(None, name.groups()))  # noqa: UP031 - braces
    if last and _REST.fullmatch(text):
        return "{rest...}"
    return f"{{name{index}}}" if _ONE.fullmatch(text) else text


def _known(text: str) -> Rule | None:
    """The rule as it stands, or in the case of letters that the catalogue has; None for what can't be a rule."""
    try:
        rule = parse_rule(text)
    except TemplateError:
        return None
    segments = tuple(
        each._replace(text=each.text.lower()) if isinstance(each, Literal) else each
        for each in rule.template.segments
    )
    lower = parse_rule(f"{rule.method} {Template(segments)}")
    return lower if is_known(lower) and not is_known(rule) else rule
