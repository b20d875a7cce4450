"""Kinds of values: what is regular for a parameter of each type, and which object a regular value names.

A value is *regular* if all who read it read the same. ``read`` gives the objects that a regular value may name, each in
one canonical form: one as a rule, several where nobody knows which of two spellings a server takes for one. To *allow*,
all of them have to meet the test; to *deny*, one is enough, and a value that is not regular meets every test. So there is
no list of odd forms: ``1e3``, 70 zeros, lookalike letters, blanks, numbers of enums are simply not regular.

docs/rules.md has the table; the makers' ``catalog/aliases.yaml`` has each spelling with its source, and
tests/core/test_kind.py holds the two to each other.
"""

import re

from .catalog_name import NAMES
from .object_path import PATHS
from .scalar import SCALARS, Canonical, Kind, Objects, Part, Read, distinct, without_case
from .template import Literal, Template

__all__ = ["KINDS", "Canonical", "Either", "Kind", "Objects", "in_path", "pattern_forms", "prefix_forms"]


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

    def __repr__(self) -> str:
        return repr(self.objects)  # the policy's revision is made of it


KINDS = {kind.name: kind for kind in (*SCALARS, *NAMES, *PATHS)}
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
        if any(each.segments[: len(parts)] == whole.segments[: len(parts)] for each, _ in forms):
            continue  # the names of a volume in another case, made of the first form already
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
