"""Kinds of values: what is regular for a parameter of each type, and which object a regular value names.

A value is *regular* if all who read it read the same. ``read`` gives the objects that a regular value may name, each in
one canonical form: one as a rule, several where nobody knows which of two spellings a server takes for one. To *allow*,
all of them have to meet the test; to *deny*, one is enough, and a value that is not regular meets every test. So there is
no list of odd forms: ``1e3``, 70 zeros, lookalike letters, blanks, numbers of enums are simply not regular.

docs/rules.md has the table; ../shared/spellings.md, sections 1 and 5, the source of each spelling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import unquote

from .body import Number
from .normal import compatible, disguise, is_regular_text
from .template import Literal, Template

Canonical = str | int | bool | Decimal
"""One object, as it is compared."""
Objects = tuple[Canonical, ...]
Read = Callable[[Any], Objects | None]
"""From a value as it came (text, integer, truth value, ``Number``) to what it may name; None: it is not regular."""

MAX_VALUE = 64 * 1024
"""Longest text, in characters, that a rule compares; a longer one is not regular."""

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?")
_ANY_NUMBER = re.compile(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?|[+-]?0[xXoObB][0-9A-Fa-f]+")
_ENUM = re.compile(r"[A-Z][A-Z0-9_]*")
_ENUM_LOWER = re.compile(r"[a-z][a-z0-9_\-]*")
_ENUM_MIXED = re.compile(r"[A-Za-z][A-Za-z0-9_\-. ]*")
_ID = re.compile(r"[0-9A-Za-z_-]+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PRIVILEGE = re.compile(r"[A-Z]+(?:[_ ][A-Z]+)*")
_SECURABLE = re.compile(r"[A-Za-z]+(?:[_-][A-Za-z]+)*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/\s]*)(/.*)?", re.DOTALL)
# Paths that need no closer look: nothing but these in each segment.
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_@=+,~$-][A-Za-z0-9_.@=+,~$ -]*(?<! ))+/?|/")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|%[uU][0-9A-Fa-f]{4}")
LINE_CONTROLS = "\t\r\n"
"""Control characters that SQL and code may have."""

# One object, one level or one mode under several words (spellings.md 0.8, 3; terraform-provider-databricks
# permission_definitions.go; databricks-sdk compute.py DataSecurityMode).
_OBJECT_TYPES = {
    "sql/warehouses": "warehouses",
    "sql/endpoints": "warehouses",
    "sql/queries": "queries",
    "sql/alerts": "alerts",
    "sql/dashboards": "dbsql-dashboards",
}
_LEVELS = {"CAN_VIEW": "CAN_READ"}
_MODES = {
    "USER_ISOLATION": "DATA_SECURITY_MODE_STANDARD",
    "SINGLE_USER": "DATA_SECURITY_MODE_DEDICATED",
}


class Kind(NamedTuple):
    """How values of one type are read. ``read``: for rules that allow. ``suspect``: for rules that deny, which take more for
    one object. ``separator``: of the parts of a name or path, empty for what has none. ``ordered``: whether values are
    numbers. ``names``: whether one object has several spellings. ``prefix`` and ``pattern``: the canonical forms of what a
    rule writes, for allow or (True) deny."""

    name: str
    read: Read
    suspect: Read
    separator: str = ""
    ordered: bool = False
    names: bool = False
    prefix: Callable[[str, bool], tuple[str, ...]] = lambda text, denies: (text,)
    pattern: Callable[[Template, bool], tuple[Template, ...]] = lambda template, denies: (template,)


# -- numbers, words ----------------------------------------------------------------------------------------------------


def read_integer(value: Any) -> Objects | None:
    """A decimal integer of 64 bits, as JSON or as its text."""
    if isinstance(value, str):
        if isinstance(value, Number) or not _INTEGER.fullmatch(value):
            return None
        value = int(value)
    elif isinstance(value, bool) or not isinstance(value, int):
        return None
    return (value,) if -(2**63) <= value < 2**63 else None


def read_number(value: Any) -> Objects | None:
    """A decimal number without an exponent, as JSON or as its text."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not _NUMBER.fullmatch(str(value)):
        return None
    return (Decimal(str(value)).normalize(),)


def read_boolean(value: Any) -> Objects | None:
    """One of the two values, or its word in small letters."""
    if isinstance(value, bool):
        return (value,)
    return (value == "true",) if isinstance(value, str) and value in ("true", "false") else None


def _word(shape: re.Pattern[str], form: Callable[[str], str] = str) -> Read:
    def read(value: Any) -> Objects | None:
        if not isinstance(value, str) or isinstance(value, Number) or not shape.fullmatch(value):
            return None
        return (form(value),)

    return read


def _alias(of: dict[str, str]) -> Callable[[str], str]:
    return lambda word: of.get(word, word)


def read_id(value: Any) -> Objects | None:
    """A number of the API's, or a text that is none."""
    if isinstance(value, str) and not isinstance(value, Number) and _ANY_NUMBER.fullmatch(value) is None:
        return read_text(value)
    found = read_integer(value)
    return None if found is None else (str(found[0]),)


# -- text --------------------------------------------------------------------------------------------------------------


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number) and len(value) <= MAX_VALUE


def read_text(value: Any) -> Objects | None:
    """Text as it stands: composed (NFC), no controls, no blanks at its ends."""
    return (value,) if _is_text(value) and is_regular_text(value) else None


def read_lines(value: Any) -> Objects | None:
    """Text of several lines, such as SQL and code: also with tabs and line ends, but not at its ends."""
    return (value,) if _is_text(value) and is_regular_text(value, LINE_CONTROLS) else None


def read_principal(value: Any) -> Objects | None:
    """A user's name or an application id, both without case, or the name of a group, whose case counts."""
    if not _is_text(value) or not is_regular_text(value):
        return None
    return (value.casefold() if "@" in value or _UUID.fullmatch(value) else value,)


def read_slashed(value: Any) -> Objects | None:
    """Text that a rule takes for a path of no known kind: absolute or not, each segment regular, as it stands."""
    if not _is_text(value):
        return None
    steps = _steps(value if value[:1] == "/" else f"/{value}")
    return None if steps is None else tuple(step if value[:1] == "/" else step[1:] for step in steps)


def _folded(read: Read) -> Read:
    """The same without case: names that the server folds."""

    def folded(value: Any) -> Objects | None:
        found = read(value)
        return None if found is None else tuple(str(each).casefold() for each in found)

    return folded


def _loose(read: Read) -> Read:
    """The same for rules that deny: without case, and without compatibility forms."""

    def loose(value: Any) -> Objects | None:
        found = read(value)
        if found is None:
            return None
        folded = tuple(str(each).casefold() for each in found)
        return (
            folded
            if all(map(str.isascii, folded))
            else (*folded, *(compatible(each).casefold() for each in folded))
        )

    return loose


def read_any(value: Any) -> Objects | None:
    """A value of no known type: text, an integer or a truth value, compared as text. A number in any other form than
    decimal may be one to the server, so it is not regular."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, str) and _ANY_NUMBER.fullmatch(value) is None:
        return read_text(value)
    found = read_integer(value)
    return None if found is None else (str(found[0]),)


# -- names of Unity Catalog --------------------------------------------------------------------------------------------


def read_uc_name(value: Any) -> Objects | None:
    """A name of one to four parts with dots between. Names are stored in small letters and called in any (docs, SQL
    language, names); whether letters beyond ASCII fold, nobody knows."""
    if not _is_text(value) or not value or "`" in value or not is_regular_text(value):
        return None
    if value.isascii():
        parts = value.split(".")
        regular = "" not in parts and (" " not in value or all(part == part.strip() for part in parts))
        return (value.lower(),) if regular else None
    parts = value.split(".")
    if any(not part or not is_regular_text(part) for part in parts):
        return None
    return _distinct((_ascii_lower(value), value.casefold()))


def read_uc_entity(value: Any) -> Objects | None:
    """A name of three parts, and a column after it, whose case counts and which may have any characters."""
    if not _is_text(value):
        return None
    parts = value.split(".", 3)
    table = read_uc_name(".".join(parts[:3]))
    if table is None or len(parts) < 4:
        return table
    return tuple(f"{each}.{parts[3]}" for each in table) if parts[3] and is_regular_text(parts[3]) else None


def read_uc_resource(value: Any) -> Objects | None:
    """A name of Unity Catalog behind that of its collection: ``skills/main.a.x``."""
    if not _is_text(value):
        return None
    collection, slash, name = value.rpartition("/")
    found = read_uc_name(name)
    return (
        None
        if found is None or not is_regular_text(collection)
        else tuple(f"{collection}{slash}{each}" for each in found)
    )


def read_model_name(value: Any) -> Objects | None:
    """A model of Unity Catalog (with dots) or of the workspace's registry."""
    return read_uc_name(value) if isinstance(value, str) and "." in value else read_text(value)


def _ascii_lower(text: str) -> str:
    return "".join([char.lower() if char.isascii() else char for char in text])


def _distinct(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


# -- paths -------------------------------------------------------------------------------------------------------------


def _steps(text: str) -> tuple[str, ...] | None:
    """A regular absolute path without the slash at its end, and what it is after one more decoding where it has escapes;
    None where it is not regular, in either."""
    if not _PLAIN_PATH.fullmatch(text):
        if text[:1] != "/" or "\\" in text or not is_regular_text(text):
            return None
        parts = text[1:].removesuffix("/").split("/")
        if any(part != part.strip() or disguise(part) is not None for part in parts):
            return None
    plain = text.removesuffix("/")
    if "%" not in text or _ESCAPE.search(text) is None:
        return (plain,)
    again = unquote(text, errors="replace")
    if again.count("/") != text.count("/") or _ESCAPE.search(again):
        return None
    decoded = _steps(again)
    return None if decoded is None else (plain, *decoded)


def _workspace(path: str) -> str | None:
    """The long form of a path of the workspace tree: `/Users/x` is `/Workspace/Users/x` (databricks/cli #1817)."""
    if path in ("", "/Workspace"):
        return "/Workspace"
    if not path.startswith("/Workspace/"):
        return f"/Workspace{path}"
    return None if path.startswith("/Workspace/Workspace/") or path == "/Workspace/Workspace" else path


def _volume(path: str) -> tuple[str, ...]:
    """A path below /Volumes with the names of catalog, schema and volume folded, which are Unity Catalog's."""
    parts = path.split("/")
    names, rest = parts[2:5], parts[5:]
    forms = _distinct(("/".join(map(_ascii_lower, names)), "/".join(names).casefold()))
    return tuple("/".join(("", "Volumes", form, *rest)).rstrip("/") for form in forms)


def _is_volume(path: str) -> bool:
    return path.startswith("/Volumes/") or path == "/Volumes"


def _all(steps: tuple[str, ...] | None, form: Callable[[str], Iterable[str | None]]) -> Objects | None:
    """The canonical forms of all that a path may be; None if one of them has none."""
    if steps is None:
        return None
    found = [each for step in steps for each in form(step)]
    return None if None in found else tuple(dict.fromkeys(filter(None, found)))


def read_workspace_path(value: Any) -> Objects | None:
    """A path of the workspace tree, in its long or short form, with or without a slash at its end. Case counts."""
    return _all(_steps(value), lambda step: (_workspace(step),)) if _is_text(value) else None


def read_code_path(value: Any) -> Objects | None:
    """A path of the workspace tree or, without its first slash, of a Git repository, which is another object."""
    if _is_text(value) and value[:1] not in ("/", ""):
        steps = _steps(f"/{value}")
        return None if steps is None or ":" in value.partition("/")[0] else tuple(step[1:] for step in steps)
    return read_workspace_path(value)


def _suspect_code_path(value: Any) -> Objects | None:
    """The same for rules that deny: without a first slash it may be of the workspace tree all the same."""
    found = read_code_path(value)
    if found is None or str(found[0]).startswith("/"):
        return found
    return (*found, *(f"/Workspace/{each}" for each in found))


def read_dbfs_path(value: Any) -> Objects | None:
    """A path of DBFS, with or without its scheme (databricks-cli dbfs/api.py sends it)."""
    if not _is_text(value) or value.startswith("dbfs://"):
        return None
    return _all(_steps(value.removeprefix("dbfs:")), _dbfs)


def _dbfs(path: str) -> Iterable[str]:
    if _is_volume(path):
        return _volume(path)
    # The clusters' mount of DBFS; in REST perhaps a folder of that name.
    return (path or "/", path.removeprefix("/dbfs") or "/") if path.startswith("/dbfs/") else (path or "/",)


def read_tree_path(value: Any) -> Objects | None:
    """An absolute path in a tree of its own, as it stands."""
    return _all(_steps(value), lambda step: (step or "/",)) if _is_text(value) else None


def read_volume_path(value: Any) -> Objects | None:
    """A path of the Files API: below /Volumes, else one of another tree."""
    return read_path(value)


def read_path(value: Any) -> Objects | None:
    """A path of whichever tree: /Volumes, the workspace, DBFS, a URL. One that says neither may be in either of two."""
    if not _is_text(value):
        return None
    if value[:1] == "/":
        return _all(_steps(value), _anywhere)
    if value.startswith("dbfs:/"):
        return None if value.startswith("dbfs://") else _all(_steps(value[5:]), _on_dbfs)
    if _SCHEME.fullmatch(value):
        return read_url(value)
    return read_text(value)


def _anywhere(path: str) -> Iterable[str | None]:
    if _is_volume(path):
        return _volume(path)
    if path == "/Workspace" or path.startswith("/Workspace/"):
        return (_workspace(path),)
    return (_workspace(path), f"dbfs:{path or '/'}")


def _on_dbfs(path: str) -> Iterable[str]:
    return _volume(path) if _is_volume(path) else (f"dbfs:{path or '/'}",)


def read_url(value: Any) -> Objects | None:
    """A URL: scheme and authority without case, its path as a path, no slash at its end."""
    found = _SCHEME.fullmatch(value) if _is_text(value) else None
    if found is None or not is_regular_text(value):
        return None
    scheme, authority, path = found.groups()
    steps = _steps(path or "/")
    return _all(steps, lambda step: (f"{scheme.lower()}://{authority.lower()}{step}",))


def _path_prefix(kind: Read) -> Callable[[str, bool], tuple[str, ...]]:
    """The canonical forms of a prefix of paths: its folder's, and what it has of the next name."""

    def prefix(text: str, denies: bool) -> tuple[str, ...]:
        scheme = _SCHEME.fullmatch(text)
        head, slash, partial = text.rpartition("/")
        if scheme is not None and scheme[3] is None:
            return (text.lower(),)
        if not slash:
            return (text,)
        found = kind(f"{head}/")
        if found is None:
            return ()
        forms = [f"{str(folder).removesuffix('/')}/{partial}" for folder in found]
        if denies and not head and "Workspace".startswith(partial):
            forms.append("/Workspace")
        return tuple(forms)

    return prefix


def _path_pattern(kind: Read) -> Callable[[Template, bool], tuple[Template, ...]]:
    """The canonical forms of a pattern of paths: what is fixed at its beginning, as a path of its own."""

    def pattern(template: Template, denies: bool) -> tuple[Template, ...]:
        fixed: list[str] = []
        for part in template.segments:
            if not isinstance(part, Literal):
                break
            fixed.append(part.text)
        if not fixed:
            return (template,)
        found = kind("/" + "/".join(fixed))
        rest = template.segments[len(fixed) :]
        forms = []
        for each in found or ():
            parts = str(each).strip("/").split("/")
            forms.append(Template((*map(Literal, filter(None, parts)), *rest)))
        return tuple(forms)

    return pattern


def _folded_prefix(text: str, denies: bool) -> tuple[str, ...]:
    return _distinct((_ascii_lower(text), text.casefold()))


def _folded_pattern(template: Template, denies: bool) -> tuple[Template, ...]:
    return (_map_literals(template, str.casefold),)


def _map_literals(template: Template, form: Callable[[str], str]) -> Template:
    return Template(
        tuple(
            part._replace(text=form(part.text)) if isinstance(part, Literal) else part
            for part in template.segments
        )
    )


def _text_prefix(text: str, denies: bool) -> tuple[str, ...]:
    return (text.casefold() if denies else text,)


def _text_pattern(template: Template, denies: bool) -> tuple[Template, ...]:
    return (_map_literals(template, str.casefold) if denies else template,)


def read_nothing(value: Any) -> Objects | None:
    """An object or list, which no test of values takes."""
    return None


def _plain_kind(name: str, read: Read, suspect: Read | None = None, *, ordered: bool = False) -> Kind:
    return Kind(name, read, suspect or read, ordered=ordered)


def _text_kind(name: str, read: Read) -> Kind:
    return Kind(name, read, _loose(read), prefix=_text_prefix, pattern=_text_pattern)


def _folded_kind(name: str, read: Read, separator: str = "") -> Kind:
    return Kind(name, read, read, separator, False, True, _folded_prefix, _folded_pattern)


def _path_kind(name: str, read: Read, suspect: Read | None = None) -> Kind:
    return Kind(name, read, suspect or read, "/", False, True, _path_prefix(read), _path_pattern(read))


KINDS = {
    kind.name: kind
    for kind in (
        _plain_kind("integer", read_integer, ordered=True),
        _plain_kind("number", read_number, ordered=True),
        _plain_kind("boolean", read_boolean),
        _plain_kind("enum", _word(_ENUM)),
        _plain_kind("enum_lower", _word(_ENUM_LOWER)),
        _text_kind("enum_mixed", _word(_ENUM_MIXED)),
        _text_kind("text", read_text),
        _text_kind("lines", read_lines),
        _text_kind("json_text", read_lines),
        _text_kind("pip_line", read_text),
        _text_kind("group_name", read_text),
        _text_kind("principal", read_principal),
        _text_kind("any", read_any),
        _text_kind("id", read_id),
        _text_kind("timestamp", read_any),
        _text_kind("duration", read_text),
        _text_kind("field_mask", read_text),
        _text_kind("bytes", read_text),
        _plain_kind("uuid", _word(_ID, str.lower)),
        _plain_kind("application_id", _word(_ID, str.lower)),
        _plain_kind("securable_type", _word(_ENUM_MIXED, lambda word: word.lower().replace("-", "_"))),
        _plain_kind("object_type", _word(re.compile(r"[a-z0-9]+(?:[/_-][a-z0-9]+)*"), _alias(_OBJECT_TYPES))),
        _plain_kind("permission_level", _word(_ENUM, _alias(_LEVELS))),
        _plain_kind("data_security_mode", _word(_ENUM, _alias(_MODES))),
        _plain_kind("privilege", _word(_PRIVILEGE, lambda word: word.replace(" ", "_"))),
        _folded_kind("uc_name", read_uc_name, "."),
        _folded_kind("uc_part", read_uc_name, "."),
        _folded_kind("uc_entity", read_uc_entity, "."),
        _folded_kind("uc_resource", read_uc_resource, "."),
        _folded_kind("model_name", read_model_name, "."),
        _folded_kind("scope_name", _folded(read_text)),
        _folded_kind("user_name", _folded(read_text)),
        _folded_kind("git_provider", _folded(read_text)),
        _path_kind("workspace_path", read_workspace_path),
        _path_kind("code_path", read_code_path, _suspect_code_path),
        _path_kind("dbfs_path", read_dbfs_path),
        _path_kind("volume_path", read_volume_path),
        _path_kind("tree_path", read_tree_path),
        _path_kind("storage_url", read_url),
        _path_kind("url", read_url),
        _path_kind("path", read_path),
        _plain_kind("object", read_nothing),
        Kind("slashed", read_slashed, _loose(read_slashed), "/", False, False, _text_prefix, _text_pattern),
    )
}
"""Every kind by its name in the catalogue."""


def in_path(kind: Kind) -> Kind:
    """The kind of a variable in the path of a URL, where the first slash of a path is the URL's own."""
    if kind.separator != "/" or kind.name in ("url", "storage_url"):
        return kind
    return _IN_PATH[kind.name]


def _rooted(read: Read) -> Read:
    return lambda value: read(value if value[:1] == "/" else f"/{value}") if isinstance(value, str) else None


_IN_PATH = {
    kind.name: kind._replace(read=_rooted(kind.read), suspect=_rooted(kind.suspect))
    for kind in KINDS.values()
    if kind.separator == "/"
}
