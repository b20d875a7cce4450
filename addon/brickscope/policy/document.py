"""One YAML file as plain data, with the place of everything in it.

A policy needs little of YAML, and each feature beyond that is a way to misread a file: so no tags, no merge keys, no
duplicate keys, and a scalar is a boolean, an integer or null only where it can mean nothing else. ``mode: off``,
dates and ``1:30`` are strings.
"""

import re
from typing import Any, NamedTuple

import yaml

from brickscope.core.normal import has_controls

from .node import Node, TooMuch, compose
from .problem import Position, Problem, quotable, redact

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 1_000_000
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")

Path = tuple[str | int, ...]


class Document(NamedTuple):
    """``data``: dicts, lists and scalars. ``places``, ``keys``: where each value and each key stands, by its path."""

    file: str
    data: Any
    places: dict[Path, Position]
    keys: dict[Path, Position]
    lines: list[str]

    def position(self, path: Path) -> Position:
        """The place of a path, or of its nearest parent."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Position(self.file))

    def key_position(self, path: Path) -> Position:
        """The place of the key at a path (of the value, for a list item)."""
        return self.keys.get(path) or self.position(path)

    def problem(
        self, position: Position, message: str, hint: str = "", *, severity: str = "error", quote: bool = True
    ) -> Problem:
        """A problem at a place of this file, with its source line unless that may hold a token.

        All text of a file that is ever repeated passes here, so a problem can be shown, logged or kept as it is.
        """
        line = position.line
        source = self.lines[line - 1] if quote and 0 < line <= len(self.lines) else ""
        return Problem(position, severity, redact(message), redact(hint), source if quotable(source) else "")


class _Reader:
    """Walks the nodes of one file."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.document = Document(file, None, {}, {}, lines)
        self.problems: list[Problem] = []
        self._count = 0
        self._open: set[int] = set()

    def place(self, node: Node) -> Position:
        return Position(self.document.file, node.line, node.column)

    def fail(self, node: Node, message: str, hint: str = "") -> None:
        self.problems.append(self.document.problem(self.place(node), message, hint))

    def read(self, node: Node, path: Path) -> Any:
        self._count += 1
        if self._count > MAX_NODES or id(node) in self._open:
            # Aliases of aliases (the "billion laughs") and aliases into themselves.
            raise TooMuch(node.line, node.column)
        self.document.places[path] = self.place(node)
        self._refuse_tag(node)
        if node.text is not None:
            return _scalar(node.text, node.style)
        self._open.add(id(node))
        try:
            if node.items is not None:
                return [self.read(child, (*path, index)) for index, child in enumerate(node.items)]
            return self._mapping(node.pairs or [], path)
        finally:
            self._open.discard(id(node))

    def _refuse_tag(self, node: Node) -> None:
        if node.tag is not None:
            self.fail(node, f"the tag {node.tag!r} has no meaning here", "write the plain value")

    def _mapping(self, pairs: list[tuple[Node, Node]], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in pairs:
            key = key_node.text
            if key is None:
                self.fail(key_node, "a key must be a word", "write NAME: VALUE")
                continue
            self._refuse_tag(key_node)
            if key == "<<" and not key_node.style:
                self.fail(key_node, "merge keys (<<) hide what a policy says", "write the keys out")
                continue
            if not isinstance(_scalar(key, key_node.style), str):
                # Other readers of YAML take it for a number, a truth value or null.
                self.fail(key_node, f"the key {key!r} is no text", f"write '{key}' with its quotes")
                continue
            if key in found:
                first = self.document.keys[(*path, key)]
                message = f"the key {key!r} appears twice; first on line {first.line}"
                self.fail(key_node, message, "delete one of them")
                continue
            self.document.keys[(*path, key)] = self.place(key_node)
            found[key] = self.read(value_node, (*path, key))
        return found


def _slip(text: str, line: str, column: int) -> str:
    """What somebody did whose file is no YAML, at a column of this line."""
    if "\t" in line[:column]:
        return "indent with spaces, not with tabs"
    if re.search("^(?:<{7}|={7}|>{7})", text, re.MULTILINE):
        return "these are git's marks of a conflict"
    if re.match(r"\s*(?:where|only):", line):
        return "conditions belong to '- operation: NAME', not to a rule by path"
    if re.search(r"\[.*/\S*\{", line):
        return "a rule with braces needs quotes within [ ]"
    return "close each bracket and quote, indent lists and keys alike, and quote text with signs such as : # & * !"


_BLANKS = "\t\n\r"


def _find_unseen(text: str) -> int | None:
    """Where a character stands that readers of the file and YAML take differently: controls, marks of direction, and what
    ends a line to YAML alone (U+0085, U+2028, a CR among lines that end in LF), so that a rule could stand in a comment."""
    if has_controls(text, _BLANKS):
        return next(at for at, char in enumerate(text) if has_controls(char, _BLANKS))
    lone = re.search("\r(?!\n)", text) if "\n" in text else None
    return None if lone is None else lone.start()


def _scalar(text: str, style: str | None) -> Any:
    if style is not None:  # quoted or a block
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if _INTEGER.fullmatch(text) else text


def read_document(file: str, raw: bytes) -> tuple[Document, list[Problem]]:
    """Read one file. Never raises: what can't be read is a problem, and the document's data is then None."""
    empty = Document(file, None, {}, {}, [])

    def failed(message: str, hint: str, line: int = 1, column: int = 1) -> tuple[Document, list[Problem]]:
        return empty, [Problem(Position(file, line, column), "error", message, hint)]

    if len(raw) > MAX_BYTES:
        return failed(f"the file has more than {MAX_BYTES // 2**20} MiB", "split it into several files")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        return failed("the file is not UTF-8 text", "save it as UTF-8", *place)
    if (unseen := _find_unseen(text)) is not None:
        before = text[:unseen]
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        return failed(f"an unseen character (U+{ord(text[unseen]):04X})", "delete it", *place)
    reader = _Reader(file, text.splitlines())
    try:
        nodes = compose(text)
        if len(nodes) > 1:
            reader.fail(nodes[1], "a policy file has one document", "split it at '---' into several files")
        if not nodes or nodes[0].text in ("", "~", "null"):
            return failed("the file is empty", "write 'version: 1' or delete the file")
        data = reader.read(nodes[0], ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file)
        broken = "".join(reader.document.lines[mark.line : mark.line + 1]) if mark else ""
        hint = _slip(text, broken, position.column)
        reader.problems.append(reader.document.problem(position, f"not valid YAML: {error.problem}", hint))
        return empty, reader.problems
    except yaml.YAMLError as error:
        return failed(f"not valid YAML: {type(error).__name__}", "save it as plain UTF-8 text")
    except (TooMuch, RecursionError) as error:
        said = "the file is nested too deeply or repeats itself by aliases"
        return failed(
            said, "write the values out, with fewer levels and no aliases", *getattr(error, "place", (1, 1))
        )
    return reader.document._replace(data=data), reader.problems
