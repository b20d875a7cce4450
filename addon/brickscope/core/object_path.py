"""Paths and URLs as values: which are regular, and which objects each may name.

A path is as strict as the path of a URL (``path.py``): no empty or dot segments, no controls, no blanks round segments,
nothing that Unicode turns into structure. Spellings of one object: ../shared/spellings.md, sections 1.1 and 1.2.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from .normal import caseless, disguise, is_regular_text, is_stream_safe
from .scalar import (
    Kind,
    Objects,
    Read,
    ReadAll,
    also_compatible,
    distinct,
    is_text,
    read_text,
    text_kind,
    without_case,
)

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\s]*)(/[^?#]*)?([?#].*)?", re.DOTALL)
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=-]+@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?"
)
_DEFAULT_PORT = {"http": ":80", "https": ":443"}
_STORES = {"s3a": "s3", "s3n": "s3", "abfs": "abfss", "wasb": "wasbs"}
"""Names of one store (Apache Hadoop's file systems); whether the API takes the first for the second, nobody knows."""
_NAMED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_OWN_SCHEMES = ("models:/", "runs:/", "mlflow-artifacts:/")
"""Of MLflow: names of its own, and no paths."""
_REST_OF_LINE = re.compile(
    r"(?:^|(?<=[\s=@'\"])|(?<=\s-[a-z])|(?<=^-[a-z]))(?:[A-Za-z][A-Za-z0-9+.-]*:)?/\S*"
)
_BEHIND_PATH = re.compile("[\\[;,'\"]")
"""What stands behind a path in such a line: extras, a marker, a quote."""
# Paths that need no closer look: nothing but these in each segment.
_PLAIN_PATH = re.compile(r"(?:/\.?[A-Za-z0-9_@=+,~$-][A-Za-z0-9_.@=+,~$ -]*+(?<! ))+/?|/")
_PLAIN_BYTES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@=+,~$ /-\n"
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|%[uU][0-9A-Fa-f]{4}")
_EXTENSION = re.compile(r"(.+[^/])\.(?:py|sql|scala|[rR]|ipynb)")
"""Of notebooks, which an import by AUTO drops (databricks-sdk mixins/workspace.py)."""
_GLOB = frozenset("*?[]{}")


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
    again = unquote(text)
    if again.count("/") != text.count("/") or _ESCAPE.search(again):
        return None
    decoded = _steps(again)
    return None if decoded is None else (plain, *decoded)


def _all(steps: tuple[str, ...] | None, form: Callable[[str], Iterable[str | None]]) -> Objects | None:
    """The canonical forms of all that a path may be; None if one of them has none."""
    if steps is None:
        return None
    found = [each for step in steps for each in form(step)]
    return None if None in found else tuple(dict.fromkeys(filter(None, found)))


# -- the workspace tree ------------------------------------------------------------------------------------------------


def read_workspace_path(value: Any) -> Objects | None:
    """A path of the workspace tree, in its long or short form, with or without a slash at its end. Case counts."""
    return _all(_steps(value.removeprefix("workspace:")), _in_workspace) if is_text(value) else None


def _in_workspace(path: str) -> Iterable[str | None]:
    found = _volume(path)
    return found if found and None not in found else (_workspace(path),)


def _workspace(path: str) -> str | None:
    """The long form of a path of the workspace tree: `/Users/x` is `/Workspace/Users/x` (databricks/cli #1817)."""
    if path in ("", "/Workspace"):
        return "/Workspace"
    if not path.startswith("/Workspace/"):
        return f"/Workspace{path}"
    return None if path.startswith("/Workspace/Workspace/") or path == "/Workspace/Workspace" else path


def read_import_path(value: Any) -> Objects | None:
    """A path of the workspace tree that something is imported to: a notebook loses its extension."""
    found = read_workspace_path(value)
    if found is None:
        return None
    bare = [whole[1] for whole in map(_EXTENSION.fullmatch, map(str, found)) if whole is not None]
    return distinct((*map(str, found), *bare))


def read_workspace_glob(value: Any) -> Objects | None:
    """A path of the workspace tree, or with ``/**`` at its end all that is below it."""
    if not is_text(value) or not _GLOB.isdisjoint(value.removesuffix("/**")):
        return None
    return read_workspace_path(value)


def suspect_workspace_glob(value: Any) -> Objects | None:
    """The same for rules that deny: the folder stands for all that is below it."""
    return read_workspace_path(value.removesuffix("/**")) if read_workspace_glob(value) is not None else None


def read_code_path(value: Any) -> Objects | None:
    """A path of the workspace tree or, without its first slash, of a Git repository, which is another object."""
    if not is_text(value) or value[:1] in ("/", "") or value.startswith("workspace:"):
        return read_workspace_path(value)
    steps = _steps(f"/{value}")
    return None if steps is None or ":" in value.partition("/")[0] else tuple(step[1:] for step in steps)


def suspect_code_path(value: Any) -> Objects | None:
    """The same for rules that deny: without a first slash it may be of the workspace tree all the same."""
    found = read_code_path(value)
    if found is None or value[:1] in ("/", "") or value.startswith("workspace:"):
        return found
    rooted = read_workspace_path(f"/{value}")
    return None if rooted is None else (*found, *rooted)


# -- DBFS and volumes --------------------------------------------------------------------------------------------------


def read_dbfs_path(value: Any) -> Objects | None:
    """A path of DBFS, with or without its scheme (databricks-cli dbfs/api.py sends it)."""
    return _all(_steps(value.removeprefix("dbfs:")), _dbfs) if is_text(value) else None


def _dbfs(path: str) -> Iterable[str | None]:
    # The DBFS API has no operations on volumes (databricks-sdk-py #571).
    return (None,) if _volume(path) else (path or "/",)


def read_volume_path(value: Any) -> Objects | None:
    """A path of the Files API: below /Volumes, else one of another tree."""
    return read_path(value) if is_text(value) and (value[:1] == "/" or _NAMED.match(value)) else None


def suspect_volume_path(value: Any) -> Objects | None:
    """The same for rules that deny."""
    return None if read_volume_path(value) is None else suspect_path(value)


def _volume(path: str) -> tuple[str | None, ...]:
    """A path below /Volumes with the names of catalog, schema and volume folded, which are Unity Catalog's. None where the
    word itself is in another case; nothing for a path of another tree."""
    tree, *parts = path[1:].split("/")
    if tree.casefold() != "volumes":
        return ()
    if tree != "Volumes":
        return (None,)
    names, rest = parts[:3], parts[3:]
    return tuple("/".join(("", tree, form, *rest)).rstrip("/") for form in without_case("/".join(names)))


def read_tree_path(value: Any) -> Objects | None:
    """An absolute path in a tree of its own, as it stands."""
    return _all(_steps(value), lambda step: (step or "/",)) if is_text(value) else None


# -- of whichever tree -------------------------------------------------------------------------------------------------


def read_path(value: Any) -> Objects | None:
    """A path of whichever tree: /Volumes, the workspace, DBFS, the clusters' own, a URL. One that says none of them may be
    in either of two."""
    if not is_text(value):
        return None
    if value[:1] == "/":
        return _all(_steps(value), _anywhere)
    if value.startswith("dbfs:"):
        return _all(_steps(value[5:]), _on_dbfs)
    if value.startswith("file:"):
        local = value[5:]
        return _all(_steps(local[2:] if local.startswith("///") else local), _on_cluster)
    if value.startswith("workspace:"):
        return read_workspace_path(value)
    if _URL.fullmatch(value):
        return read_url(value)
    if _NAMED.match(value) and not value.startswith(_OWN_SCHEMES):
        return None
    return read_slashed(value)


def suspect_path(value: Any) -> Objects | None:
    """The same for rules that deny: without a tree's name it may be in any, also without its first slash."""
    found = read_path(value)
    if found is None or value.startswith("file:"):
        return found
    if ":" in value.partition("/")[0]:
        return suspect_url(value) if _URL.fullmatch(value) else found
    rooted = value if value[:1] == "/" else f"/{value}"
    trees = _all(_steps(rooted), lambda path: (*_anywhere(path), *_on_dbfs(path)))
    return None if trees is None else distinct((*map(str, found), *map(str, trees)))


def _anywhere(path: str) -> Iterable[str | None]:
    if found := _volume(path):
        return found
    if path.startswith(("/Workspace/", "/Users/", "/Shared/", "/Repos/")) or path == "/Workspace":
        return (_workspace(path),)
    mounted = _on_cluster(path) if path.startswith("/dbfs/") else ()
    return (_workspace(path), f"dbfs:{path or '/'}", *mounted)


def _on_dbfs(path: str) -> Iterable[str | None]:
    return _volume(path) or (f"dbfs:{path or '/'}",)


def _on_cluster(path: str) -> Iterable[str | None]:
    """The clusters' own file system, which mounts the trees."""
    here = f"file:{path or '/'}"
    if path.startswith("/dbfs/"):
        return (here, *_on_dbfs(path.removeprefix("/dbfs")))
    return (here, *_in_workspace(path)) if path.startswith(("/Workspace", "/Volumes")) else (here,)


def read_slashed(value: Any) -> Objects | None:
    """Text that a rule takes for a path of no known kind: absolute or not, each segment regular, as it stands."""
    if not is_text(value):
        return None
    steps = _steps(value if value[:1] == "/" else f"/{value}")
    return None if steps is None else tuple(step if value[:1] == "/" else step[1:] for step in steps)


def read_pip_line(value: Any) -> Objects | None:
    """A line of a requirements file: as it stands, and the paths and URLs in it, also behind an option or a name."""
    return _with_paths(value, read_path) if read_text(value) is not None else None


def suspect_pip_line(value: Any) -> Objects | None:
    """The same for rules that deny: without case, too."""
    found = _with_paths(value, suspect_path) if read_text(value) is not None else None
    return None if found is None else (*found, value.casefold())


def _with_paths(line: str, read: Read) -> Objects | None:
    objects: list[str] = [line]
    found = _REST_OF_LINE.findall(line)
    for path in dict.fromkeys((*found, *(_BEHIND_PATH.split(each)[0] for each in found))):
        named = read(path)
        if named is None:
            return None
        objects += map(str, named)
    return distinct(objects)


# -- URLs --------------------------------------------------------------------------------------------------------------


def read_url(value: Any) -> Objects | None:
    """A URL: scheme and host without case, without a user, a standard port and a slash at its end, its path as a path."""
    found = _URL.fullmatch(value) if is_text(value) else None
    if found is None or not is_regular_text(value) or "\\" in value:
        return None
    scheme, authority, path, rest = found[1].lower(), found[2].lower(), found[3], found[4] or ""
    if authority and not _AUTHORITY.fullmatch(authority):
        return None
    if scheme in _DEFAULT_PORT:
        authority = authority.rpartition("@")[2].removesuffix(_DEFAULT_PORT[scheme]).rstrip(".")
        if not authority:
            return None
    elif "@" in authority and _STORES.get(scheme, scheme) in ("s3", "gs"):
        return None  # Hadoop takes what stands before it for a user; elsewhere it is a container
    # `git+https` is a way to fetch, and the address is that of `https`.
    schemes = distinct((scheme, _STORES.get(scheme, scheme), scheme.rpartition("+")[2]))
    return _all(_steps(path or "/"), lambda step: [f"{each}://{authority}{step}{rest}" for each in schemes])


def suspect_url(value: Any) -> Objects | None:
    """The same for rules that deny: also without case, query, fragment and the ending of a Git repository."""
    found = read_url(value)
    if found is None:
        return None
    plain = distinct(form for each in found for form in (str(each), re.split("[?#]", str(each))[0]))
    bare = distinct((*plain, *(each.removesuffix(".git") for each in plain)))
    return distinct(form for each in bare for form in (each, caseless(each)))


# -- many at once ------------------------------------------------------------------------------------------------------


def all_paths(lines: str) -> str | None:
    """Of many absolute paths, each as it stands."""
    if lines.isascii():
        if lines.encode().translate(None, _PLAIN_BYTES):
            return None
    elif not _are_plain_letters(lines):
        return None
    if lines[0] != "/" or lines[-1] in "/ \n" or lines.count("\n/") != lines.count("\n"):
        return None
    if "//" in lines or "/\n" in lines:
        return None
    if "/." in lines and any(odd in f"{lines}\n" for odd in ("/..", "/./", "/.\n", "/. ")):
        return None
    return None if " " in lines and any(odd in lines for odd in ("/ ", " /", " \n")) else lines


def _are_plain_letters(lines: str) -> bool:
    """Whether what is beyond ASCII in paths is letters and digits that no mapping of Unicode's changes."""
    letters = {char for char in set(lines) if not char.isascii()}
    return (
        not "".join(char for char in set(lines) if char.isascii()).encode().translate(None, _PLAIN_BYTES)
        and all(unicodedata.category(char)[0] in "LN" for char in letters)
        and is_stream_safe(lines)
        and unicodedata.is_normalized("NFKC", lines)
        and not any("FILLER" in unicodedata.name(char, "FILLER") for char in letters)
    )


def all_workspace_paths(lines: str) -> str | None:
    """Of many paths of the workspace tree, in either form."""
    found = all_paths(lines)
    if found is None or "/Volumes" in found or "/Workspace/Workspace" in found:
        return None
    if found.startswith("/Workspace/") and found.count("\n/Workspace/") == found.count("\n"):
        return found
    if "/Workspace" in found.replace("/Workspace/", ""):
        return None
    long = f"\n{found}".replace("\n/", "\n/Workspace/").replace("\n/Workspace/Workspace/", "\n/Workspace/")
    return long[1:]


def all_dbfs_paths(lines: str) -> str | None:
    """Of many paths of DBFS."""
    return None if "/volumes" in lines.casefold() else all_paths(lines)


def all_long_paths(lines: str) -> str | None:
    """Of many paths of the workspace tree in their long form, which no other tree has."""
    found = all_paths(lines)
    is_long = found is not None and found.startswith("/Workspace/")
    if not is_long or lines.count("\n/Workspace/") != lines.count("\n") or "/Workspace/Workspace" in lines:
        return None
    return found


def all_suspect_paths(lines: str) -> str | None:
    """The same for rules that deny; each may be one of DBFS."""
    found = all_long_paths(lines)
    return None if found is None else found + f"\n{found}".replace("\n/", "\ndbfs:/")


# -- kinds ---------------------------------------------------------------------------------------------------------------


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


PATHS = (
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
    text_kind("slashed", read_slashed)._replace(separator="/"),
)
