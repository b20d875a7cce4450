"""Kinds of values: what is regular for a parameter of each type, and which object a regular value names.

A value is *regular* if all who read it read the same. ``read`` gives the objects that a regular value may name, each in
one canonical form: one as a rule, several where nobody knows which of two spellings a server takes for one. To *allow*,
all of them have to meet the test; to *deny*, one is enough, and a value that is not regular meets every test. So there is
no list of odd forms: ``1e3``, 70 zeros, lookalike letters, blanks, numbers of enums are simply not regular.

docs/rules.md has the table; the makers' ``catalog/aliases.yaml`` has each spelling with its source, and
tests/core/test_kind.py holds the two to each other.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from .catalog_name import (
    all_uc_names,
    read_model_name,
    read_uc_entity,
    read_uc_name,
    read_uc_part,
    read_uc_resource,
)
from .normal import caseless, compatible
from .object_path import (
    all_dbfs_paths,
    all_long_paths,
    all_paths,
    all_suspect_paths,
    all_workspace_paths,
    also_compatible,
    read_code_path,
    read_dbfs_path,
    read_import_path,
    read_path,
    read_pip_line,
    read_slashed,
    read_tree_path,
    read_url,
    read_volume_path,
    read_workspace_glob,
    read_workspace_path,
    suspect_code_path,
    suspect_path,
    suspect_pip_line,
    suspect_url,
    suspect_volume_path,
    suspect_workspace_glob,
)
from .scalar import (
    ENUM,
    ENUM_LOWER,
    ENUM_MIXED,
    OBJECT_TYPE,
    PRIVILEGE,
    UUID,
    Canonical,
    Objects,
    Read,
    ReadAll,
    alias,
    all_integers,
    all_loose,
    all_text,
    all_words,
    distinct,
    either,
    folded,
    loose,
    read_any,
    read_boolean,
    read_bytes,
    read_duration,
    read_field_mask,
    read_id,
    read_integer,
    read_lines,
    read_map_text,
    read_nothing,
    read_number,
    read_principal,
    read_text,
    read_timestamp,
    read_uuid,
    unless_numbers,
    without_case,
    word,
)
from .template import Literal, Template

__all__ = ["KINDS", "Canonical", "Either", "Kind", "Objects", "in_path", "pattern_forms", "prefix_forms"]

# Words for one thing; few and fixed, so they stand here, and aliases.yaml has their sources.
_OBJECT_TYPES = {
    "sql/warehouses": "warehouses",
    "sql/endpoints": "warehouses",
    "sql/queries": "queries",
    "sql/alerts": "alerts",
    "sql/dashboards": "dbsql-dashboards",
}
_OF_ONE_ID = {"repos": "directories", "experiments": "notebooks"}
_LEVELS = {"CAN_VIEW": "CAN_READ"}
_MODES = {
    "USER_ISOLATION": "DATA_SECURITY_MODE_STANDARD",
    "SINGLE_USER": "DATA_SECURITY_MODE_DEDICATED",
}
_MODELS = {"function": "registered_model", "model": "registered_model"}
_EVERYBODY = frozenset({"users", "account users"})


class Either(str):
    """One of several objects, and nobody knows which; as text the one that a plain server takes."""

    __slots__ = ("objects",)
    objects: Objects

    @classmethod
    def of(cls, objects: Objects) -> Canonical:
        """What a value names: the object itself where there is only one."""
        if len(objects) == 1:
            return objects[0]
        found = cls(objects[0])
        found.objects = objects
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Either) and other.objects == self.objects

    def __hash__(self) -> int:
        return hash(self.objects)


Part = Callable[[str], tuple[str, ...]]
"""The canonical forms of a piece of a name."""


def _as_is(text: str) -> tuple[str, ...]:
    return (text,)


def _loosely(text: str) -> tuple[str, ...]:
    return (caseless(text),)


def _model(text: str) -> tuple[str, ...]:
    return without_case(text) if "." in text else (text,)


def _suspect_model(text: str) -> tuple[str, ...]:
    return distinct((text, *without_case(text)))


class Kind(NamedTuple):
    """How values of one type are read. ``read``: for rules that allow. ``suspect``: for rules that deny, which take more for
    one object. ``all_read``, ``all_suspect``: the same of many texts at once. ``separator``: of the parts of a name or path,
    empty for what has none. ``ordered``: whether values are numbers. ``names``: whether one object has several spellings.
    ``part``, ``suspect_part``: the forms of a piece of a value, as a prefix or pattern has it; for a path, None: there the
    folder is read. ``every``: values that stand for every object. ``covers``: whether a value acts on all below it.
    ``whole``: the canonical form of JSON's integers, None where they are not regular.
    """

    name: str
    read: Read
    suspect: Read
    all_read: ReadAll | None = None
    all_suspect: ReadAll | None = None
    separator: str = ""
    ordered: bool = False
    names: bool = False
    part: Part | None = _as_is
    suspect_part: Part | None = _as_is
    every: frozenset[Canonical] = frozenset()
    covers: bool = False
    whole: type[int] | type[str] | None = None


_NUMBERS_OR_TEXT = unless_numbers(all_text)


def _all_compatible(lines: str) -> str | None:
    return lines if all_text(lines) and compatible(lines) == lines else None


def _plain_kind(name: str, read: Read, all_read: ReadAll | None = None, *, ordered: bool = False) -> Kind:
    return Kind(name, read, read, all_read, all_read, ordered=ordered)


def _text_kind(name: str, read: Read, all_read: ReadAll | None = None) -> Kind:
    all_suspect = {all_text: all_loose, _NUMBERS_OR_TEXT: unless_numbers(all_loose), None: None}[all_read]
    whole = str if all_read is _NUMBERS_OR_TEXT else None
    return Kind(name, read, loose(read), all_read, all_suspect, suspect_part=_loosely, whole=whole)


def _uc_kind(name: str, read: Read, all_read: ReadAll | None = None) -> Kind:
    return Kind(name, read, read, all_read, all_read, ".", False, True, without_case, without_case)


def _folded_kind(name: str) -> Kind:
    read = folded(read_text)
    return Kind(name, read, read, names=True, part=without_case, suspect_part=without_case)


def _path_kind(
    name: str,
    read: Read,
    suspect: Read | None = None,
    all_read: ReadAll | None = None,
    all_suspect: ReadAll | None = None,
) -> Kind:
    suspect = also_compatible(suspect or read)
    all_suspect = all_suspect or all_read
    return Kind(name, read, suspect, all_read, all_suspect, "/", names=True, part=None, suspect_part=None)


KINDS = {
    kind.name: kind
    for kind in (
        _plain_kind("integer", read_integer, all_integers, ordered=True)._replace(whole=int),
        _plain_kind("number", read_number, ordered=True),
        _plain_kind("boolean", read_boolean),
        _plain_kind("enum", word(ENUM), all_words(ENUM)),
        _plain_kind("enum_lower", word(ENUM_LOWER), all_words(ENUM_LOWER)),
        _text_kind("enum_mixed", word(ENUM_MIXED)),
        _text_kind("text", read_text, all_text),
        _text_kind("map_text", read_map_text),
        _text_kind("lines", read_lines, all_text),
        _text_kind("json_text", read_lines, all_text),
        Kind(
            "group_name", read_text, also_compatible(read_text), all_text, _all_compatible, every=_EVERYBODY
        ),
        Kind("principal", read_principal, also_compatible(read_principal), every=_EVERYBODY),
        _text_kind("any", read_any, _NUMBERS_OR_TEXT),
        _text_kind("id", read_id, _NUMBERS_OR_TEXT),
        _plain_kind("timestamp", read_timestamp)._replace(whole=str),
        _text_kind("duration", read_duration),
        Kind(
            "field_mask",
            read_field_mask,
            loose(read_field_mask),
            separator=".",
            suspect_part=_loosely,
            every=frozenset({"*"}),
            covers=True,
        ),
        Kind("bytes", read_bytes, read_bytes),
        Kind("uuid", read_uuid, read_uuid, suspect_part=without_case),
        _plain_kind("application_id", word(UUID, str.lower)),
        Kind(
            "securable_type",
            either(word(ENUM_MIXED, lambda text: text.lower().replace("-", "_")), _MODELS),
            either(word(ENUM_MIXED, lambda text: text.lower().replace("-", "_")), _MODELS),
        ),
        _plain_kind("object_type", either(word(OBJECT_TYPE, alias(_OBJECT_TYPES)), _OF_ONE_ID)),
        _plain_kind("permission_level", word(ENUM, alias(_LEVELS))),
        _plain_kind("data_security_mode", word(ENUM, alias(_MODES))),
        _plain_kind("privilege", word(PRIVILEGE, lambda text: text.replace(" ", "_")))._replace(
            every=frozenset({"ALL_PRIVILEGES"})
        ),
        _uc_kind("uc_name", read_uc_name, all_uc_names),
        _uc_kind("uc_part", read_uc_part),
        _uc_kind("uc_entity", read_uc_entity),
        _uc_kind("uc_resource", read_uc_resource),
        _uc_kind("model_name", read_model_name)._replace(part=_model, suspect_part=_suspect_model),
        _folded_kind("scope_name"),
        _folded_kind("user_name"),
        _folded_kind("git_provider"),
        _path_kind("workspace_path", read_workspace_path, None, all_workspace_paths),
        _path_kind("import_path", read_import_path),
        _path_kind("workspace_glob", read_workspace_glob, suspect_workspace_glob)._replace(covers=True),
        _path_kind("code_path", read_code_path, suspect_code_path, all_workspace_paths),
        _path_kind("dbfs_path", read_dbfs_path, None, all_dbfs_paths),
        _path_kind("volume_path", read_volume_path, suspect_volume_path, all_long_paths, all_suspect_paths),
        _path_kind("tree_path", read_tree_path, None, all_paths),
        _path_kind("storage_url", read_url, suspect_url),
        _path_kind("url", read_url, suspect_url),
        _path_kind("path", read_path, suspect_path, all_long_paths, all_suspect_paths),
        _path_kind("pip_line", read_pip_line, suspect_pip_line),
        _plain_kind("object", read_nothing),
        Kind("slashed", read_slashed, loose(read_slashed), separator="/", suspect_part=_loosely),
    )
}
"""Every kind by its name in the catalogue."""


def in_path(kind: Kind) -> Kind:
    """The kind of a variable in the path of a URL, where the first slash of a path is the URL's own."""
    return _IN_PATH.get(kind.name, kind)


def _rooted(read: Read) -> Read:
    return lambda value: read(value if value[:1] == "/" else f"/{value}") if isinstance(value, str) else None


_IN_PATH = {
    kind.name: kind._replace(
        read=_rooted(kind.read), suspect=_rooted(kind.suspect), all_read=None, all_suspect=None
    )
    for kind in KINDS.values()
    if kind.separator == "/" and kind.name not in ("url", "storage_url")
}


# -- prefixes and patterns ---------------------------------------------------------------------------------------------


def prefix_forms(kind: Kind, text: str, *, denies: bool) -> tuple[str, ...]:
    """The canonical forms of the beginning of a value; none where no regular value begins so. To allow, a value has to begin
    with each of them, by each reading of its own."""
    part = kind.suspect_part if denies else kind.part
    if part is not None:
        return part(text)
    text = "dbfs:/" if text == "dbfs:" else text
    head, slash, partial = text.rpartition("/")
    if text in ("/Workspace", "/Volumes") and not denies and kind.read(text) == (text,):
        return (text,) if text == "/Workspace" else ("/Volumes/",)  # the tree itself, and no name in its root
    if not slash or _HOST.fullmatch(text):
        return distinct((text, text.casefold())) if denies or slash else (text,)
    forms = [
        f"{folder.removesuffix('/')}/{each}"
        for folder in _folders(kind, f"{head}/", denies)
        for each in _partials(folder, partial, denies)
    ]
    if denies and not head:
        forms += [f"/{tree}" for tree in ("Workspace", "Volumes") if tree.startswith(partial)]
    return distinct(forms)


_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")


def _partials(folder: str, name: str, denies: bool) -> tuple[str, ...]:
    """The forms of the beginning of a name in a folder."""
    if folder == "/Volumes" or (folder.startswith("/Volumes/") and folder.count("/") < _BELOW_VOLUME):
        return without_case(name)
    return distinct((name, name.casefold())) if denies and "://" in folder else (name,)


_BELOW_VOLUME = 4
"""Slashes in the path of a volume: /Volumes/catalog/schema/volume."""


def _folders(kind: Kind, text: str, denies: bool) -> list[str]:
    found = (kind.suspect if denies else kind.read)(text)
    return [str(each) for each in found or ()]


def pattern_forms(
    kind: Kind, template: Template, separator: str, *, rooted: bool, denies: bool
) -> tuple[tuple[Template, bool], ...]:
    """The canonical forms of a pattern, each with whether it begins with the separator; none where no regular value fits.

    What is fixed at the beginning of a path is read as a path of its own.
    """
    part = kind.suspect_part if denies else kind.part
    if part is not None:
        return tuple((each, rooted) for each in _mapped(template, part))
    fixed: list[str] = []
    for segment in template.segments:
        if not isinstance(segment, Literal):
            break
        fixed.append(segment.text)
    rest = template.segments[len(fixed) :]
    if not fixed:
        # The short form of a path of the workspace may be meant.
        long = Template((Literal("Workspace"), *rest))
        return ((template, rooted), (long, rooted)) if denies and rooted else ((template, rooted),)
    forms: list[tuple[Template, bool]] = []
    for folder in _folders(kind, ("/" if rooted else "") + "/".join(fixed), denies):
        parts = [each for each in folder.removeprefix("/").split("/") if each]
        whole = Template((*map(Literal, parts), *rest))
        for each in _mapped_volume(whole) if parts[:1] == ["Volumes"] else (whole,):
            forms.append((each, folder.startswith("/")))
    return tuple(forms)


def _mapped(template: Template, part: Part) -> list[Template]:
    """A template with its literals in each of their forms."""
    forms = [part(each.text) if isinstance(each, Literal) else ("",) for each in template.segments]
    return [
        Template(
            tuple(
                segment._replace(text=form[min(at, len(form) - 1)])
                if isinstance(segment, Literal)
                else segment
                for segment, form in zip(template.segments, forms, strict=True)
            )
        )
        for at in range(max(map(len, forms), default=1))
    ]


def _mapped_volume(template: Template) -> list[Template]:
    """A template below /Volumes: catalog, schema and volume are names of Unity Catalog."""
    head, names, rest = template.segments[:1], template.segments[1:4], template.segments[4:]
    return [Template((*head, *each.segments, *rest)) for each in _mapped(Template(names), without_case)]
