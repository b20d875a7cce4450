"""Path templates: the right-hand side of a rule such as ``GET /api/2.0/jobs/{job_id}``.

A template is anchored, case-sensitive and compared segment by segment with the *decoded* segments of a request:

==============  ====================================================================================
``catalogs``    exactly this segment
``{name}``      one segment without a colon (a colon starts a verb, which is another operation)
``{name}:run``  one segment that ends in the verb ``:run``
``{name...}``   this and all following segments, at least one; only at the end
==============  ====================================================================================

The catalogue of operations, whose templates are Databricks' own, also has ``{name...}`` before the end (one or more
segments, as few as will do) and ``{name...}:run`` at it.

There are no regular expressions and no wildcard that spans segments unseen.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote


class TemplateError(ValueError):
    """A template that could never match, or has no single meaning.

    ``offset`` is where in the text (0-based), ``hint`` what to write instead (may be empty).
    """

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


class Literal(NamedTuple):
    """A segment that must be exactly ``text``. In the catalogue it may be part of the variable ``name``."""

    text: str
    name: str = ""


class Variable(NamedTuple):
    """One segment; with ``verb`` it ends in ``:verb``."""

    name: str
    verb: str | None = None


class Rest(NamedTuple):
    """One or more segments: up to the end of the path, or (in the catalogue) up to what follows.

    With ``verb`` the last of them ends in ``:verb``. ``dots`` keeps it apart from a Variable of the same name, to which a
    tuple of the same two fields would be equal: a rule that grants the rest would then count as the narrower one.
    """

    name: str
    verb: str | None = None
    dots: str = "..."


Segment = Literal | Variable | Rest
# Characters that need no look at each: no variable, no percent sign, nothing that is refused.
_LITERAL = re.compile(r"[A-Za-z0-9_.~:@!$&'()+,=-]+")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_BRACE = re.compile(r"[{}]")
_VARIABLE = re.compile(rf"\{{({_NAME})(\.\.\.)?\}}(?::([A-Za-z][A-Za-z0-9_]*))?")


class Template(NamedTuple):
    """A parsed template: its segments in order. ``str()`` gives the canonical text."""

    segments: tuple[Segment, ...]

    def __str__(self) -> str:
        return "".join("/" + _segment_text(segment) for segment in self.segments)


def parse_template(text: str, *, catalogue: bool = False) -> Template:
    """Read a template such as ``/api/2.0/fs/files/{path...}``. ``catalogue``: in the wider language of the catalogue.

    Raises TemplateError: the text has no leading slash, an empty or dot segment, a query, characters that a canonical
    request never carries, a malformed or repeated variable, or a rest variable that is not last.
    """
    if not text.startswith("/"):
        raise TemplateError("a path starts with '/'", 0, f"/{text}" if text else "/api/...")
    parts = text[1:].split("/")
    segments = tuple([_plain_segment(part) for part in parts])
    if None in segments:
        segments = _parse_segments(parts, catalogue)
    if text.count("{") > 1:
        _refuse_same_names(parts, segments)
    return Template(segments)  # type: ignore[arg-type]


@lru_cache(maxsize=4096)
def _plain_segment(part: str) -> Segment | None:
    """A plain literal or a plain ``{name}``, which nearly all segments are; None for all else."""
    if _LITERAL.fullmatch(part):
        return None if part in (".", "..") else Literal(part)
    found = _VARIABLE.fullmatch(part)
    return Variable(found[1], found[3]) if found is not None and found[2] is None else None


def _parse_segments(parts: list[str], catalogue: bool) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    offset = 1
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        segments.append(_plain_segment(part) or _parse_segment(part, offset, last=last, catalogue=catalogue))
        offset += len(part) + 1
    return tuple(segments)


def _refuse_same_names(parts: list[str], segments: Sequence[Segment | None]) -> None:
    names: set[str] = set()
    offset = 1
    for part, segment in zip(parts, segments, strict=True):
        if isinstance(segment, Variable | Rest):
            if segment.name in names:
                raise TemplateError(f"the variable {{{segment.name}}} appears twice", offset)
            names.add(segment.name)
        offset += len(part) + 1


def _parse_segment(part: str, offset: int, *, last: bool, catalogue: bool) -> Segment:
    if not part:
        if last:
            raise TemplateError(
                "a rule's path does not end in '/': one trailing slash in a request is the same call",
                offset - 1,
            )
        raise TemplateError("a canonical path has no empty segment ('//')", offset)
    for at, char in enumerate(part):
        if char in "?#":
            ends = "a rule has no query" if char == "?" else "a comment has a blank before it"
            raise TemplateError(f"{ends}: its path ends before {char!r}", offset + at)
        if char in "\\;*":
            hint = "write {name} for one segment, {name...} for the rest" if char == "*" else ""
            raise TemplateError(f"{char!r} is not allowed in a path template", offset + at, hint)
        if not char.isprintable() or (char == " " and at in (0, len(part) - 1)):
            raise TemplateError("white space or a control character in a path", offset + at)
    if "{" in part or "}" in part:
        return _parse_variable(part, offset, last=last, catalogue=catalogue)
    if "%" in part:
        decoded = unquote(part)
        raise TemplateError(
            "rules are written decoded, without percent-encoding",
            offset + part.index("%"),
            f"write {decoded!r}",
        )
    if part in (".", ".."):
        raise TemplateError(f"a dot segment ({part!r}) is not allowed in a canonical path", offset)
    return Literal(part)


def _parse_variable(part: str, offset: int, *, last: bool, catalogue: bool) -> Segment:
    found = _VARIABLE.fullmatch(part)
    if found is None:
        raise TemplateError(
            "a variable is a whole segment: {name}, {name...} or {name}:verb",
            offset + min(i for i in (part.find("{"), part.find("}")) if i >= 0),
            _whole(part),
        )
    name, dots, verb = found.groups()
    if not dots:
        return Variable(name, verb)
    if catalogue and (last or not verb):
        return Rest(name, verb)
    if verb or not last:
        raise TemplateError(f"{{{name}...}} means the rest of the path, so it must come last", offset)
    return Rest(name)


def _whole(part: str) -> str:
    """What to write for a segment with a variable in it (``main.{table}``, ``dev_{name}``); empty where there is none."""
    found = _VARIABLE.search(part)
    if found is None or found[2]:
        return ""
    is_dotted = all(_VARIABLE.fullmatch(each) or not _BRACE.search(each) for each in part.split("."))
    test = f"pattern: {part!r}" if is_dotted else f"prefix: {part[: found.start()]!r}"
    limited = (
        f", or name the operation and limit its parameter by {{{test}}}" if is_dotted or found.start() else ""
    )
    return f"write {found[0]} for all of it{limited}"


def _segment_text(segment: Segment) -> str:
    match segment:
        case Literal(text, _):
            return text
        case Variable(name, verb):
            return f"{{{name}}}:{verb}" if verb else f"{{{name}}}"
        case Rest(name, verb):
            return f"{{{name}...}}:{verb}" if verb else f"{{{name}...}}"


# google.api.http: a variable with the shape of its value, {name=projects/*/branches/*}.
_SHAPED = re.compile(rf"\{{({_NAME})=([^}}]+)\}}")


def parse_catalogue_template(text: str) -> Template:
    """Read a template of the catalogue: as ``parse_template``, and ``{name=projects/*/branches/*}`` for a variable whose
    value is several segments, some of them fixed. Raises TemplateError."""
    if "=" not in text:
        return parse_template(text, catalogue=True)
    segments: list[Segment] = []
    at = 0
    for found in _SHAPED.finditer(text):
        before = text[at : found.start() - 1]
        if before:
            segments += parse_template(before, catalogue=True).segments
        verb = text[found.end() :].partition("/")[0].removeprefix(":")
        parts = found[2].split("/")
        for index, part in enumerate(parts):
            last = verb if verb and index == len(parts) - 1 else None
            if part == "**":
                segments.append(Rest(found[1], last))
            else:
                segments.append(Variable(found[1], last) if part == "*" else Literal(part, found[1]))
        at = found.end() + (len(verb) + 1 if verb else 0)
    if at < len(text):
        segments += parse_template(text[at:], catalogue=True).segments
    return Template(tuple(segments))


def bind(template: Template, segments: Sequence[str]) -> dict[str, str]:
    """The values of a template's variables in a path that it matches, decoded; several segments joined by ``/``."""
    found: dict[str, list[str]] = {}
    parts = template.segments
    at = 0
    for index, part in enumerate(parts):
        following = at + 1
        if isinstance(part, Rest):
            # What follows is of fixed length: the catalogue has one rest a template.
            following = len(segments) - (len(parts) - index - 1)
        text = "/".join(segments[at:following])
        verb = None if isinstance(part, Literal) else part.verb
        if part.name:
            found.setdefault(part.name, []).append(text.removesuffix(f":{verb}") if verb else text)
        at = following
    return {name: "/".join(values) for name, values in found.items()}
