"""Rules put into a policy file, or taken out of it, with its comments and layout kept.

The text is edited, not written anew, and the result is read again: if it does not hold exactly the rules that it should,
nothing is proposed.
"""

import copy
import difflib
import io
import re
from collections.abc import Collection, Sequence
from typing import Any

import yaml

from brickscope.policy.document import Document, read_document

from .proposal import Entry, LearnError

_BY_HAND = "write the rules of its allow one a line, and learn again"


def edit_rule_set(text: str, name: str, remove: Collection[int], add: Sequence[Entry]) -> str:
    """The text of a policy file with other rules in a rule set's ``allow``.

    ``remove``: which of them go, by index. Raises LearnError where the layout of the file does not let it.
    """
    document, problems = read_document("policy", text.encode())
    key = ("rule_sets", name, "allow")
    if problems or not isinstance(document.data, dict) or key not in document.places:
        raise LearnError(f"the file has no list of rules of {name!r} that can be edited")
    wanted = copy.deepcopy(document.data)
    rules: list[Any] = wanted["rule_sets"][name]["allow"]
    rules[:] = [rule for index, rule in enumerate(rules) if index not in remove]
    rules += [entry.written for entry in add]
    if not rules:
        raise LearnError(
            f"nothing would be left of the rule set {name!r}: delete it and its subjects by hand"
        )
    position = document.places[key]
    lines = text.splitlines(keepends=True)
    flow = lines[position.line - 1][position.column - 1 : position.column] == "["
    edited = (_edit_flow if flow else _edit_lines)(text, document, key, remove, add)
    again, problems = read_document("policy", edited.encode())
    if problems or again.data != wanted:
        raise LearnError(f"the file's layout can't be edited for {name!r}: {_BY_HAND}")
    return edited


Key = tuple[str, str, str]


def _edit_lines(
    text: str, document: Document, key: Key, remove: Collection[int], add: Sequence[Entry]
) -> str:
    """A list with one rule a line."""
    lines = text.splitlines(keepends=True)
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    if not lines[-1].endswith(("\n", "\r")):
        lines[-1] += ending
    count = sum(path[:-1] == key for path in document.places if len(path) == len(key) + 1)
    ends: list[tuple[int, int]] = []
    dash = 0
    for index in range(count):
        line, column = document.places[(*key, index)][1:]
        before = lines[line - 1][: column - 1]
        if before.strip() != "-":
            raise LearnError(f"the file's layout can't be edited: {_BY_HAND}")
        dash = before.index("-")
        ends.append((line - 1, _end(lines, line - 1, dash)))
    added = [f"{' ' * dash}{line}{ending}" for entry in add for line in entry.lines]
    lines[ends[-1][1] : ends[-1][1]] = added
    for index in sorted(remove, reverse=True):
        del lines[ends[index][0] : ends[index][1]]
    return "".join(lines)


def _end(lines: Sequence[str], start: int, dash: int) -> int:
    """The line after a rule: what is indented deeper than its dash belongs to it, but comments at the end do not."""
    end = start + 1
    for at in range(start + 1, len(lines)):
        content = lines[at].strip()
        if not content or content.startswith("#"):
            continue
        if len(lines[at]) - len(lines[at].lstrip()) <= dash:
            break
        end = at + 1
    return end


_OPENED = re.compile(r"(?P<indent> *)(?:allow|'allow'|\"allow\"): *\Z")


def _edit_flow(text: str, document: Document, key: Key, remove: Collection[int], add: Sequence[Entry]) -> str:
    """``allow: [a, b]`` on one line becomes a list with one rule a line, so that each can have its comment."""
    position = document.places[key]
    lines = text.splitlines(keepends=True)
    start = sum(map(len, lines[: position.line - 1])) + position.column - 1
    node = _node(text, key)
    end, children = node.end_mark.index, [(each.start_mark.index, each.end_mark.index) for each in node.value]
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    opened = _OPENED.fullmatch(text[line_start:start])
    after = text[end:line_end].strip()
    if opened is None or end > line_end or (after and not after.startswith("#")):
        raise LearnError(f"the file's layout can't be edited: {_BY_HAND}")
    indent = " " * (len(opened["indent"]) + 2)
    ending = "\r\n" if text[:line_end].endswith("\r") else "\n"
    kept = [f"- {text[a:b]}" for index, (a, b) in enumerate(children) if index not in remove]
    items = [*kept, *(line for entry in add for line in entry.lines)]
    head = text[line_start:start].rstrip() + (f"  {after}" if after else "")
    made = "".join(f"{line}{ending}" for line in [head, *(indent + item for item in items)])
    return text[:line_start] + made + text[line_end + 1 :]


def _node(text: str, key: Key) -> yaml.SequenceNode:
    """The list as the library has it, with where it and each of its elements begin and end."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for name in key:
        node = next(value for each, value in node.value if each.value == name)
    assert isinstance(node, yaml.SequenceNode)
    return node


def unified(old: str, new: str, name: str) -> str:
    """The difference as ``patch -p1`` and ``git apply`` take it; empty for none. ``name``: the file's, relative."""
    out = []
    # As patch sees lines: only a line feed ends one.
    before, after = (list(io.StringIO(text, newline="\n")) for text in (old, new))
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
        out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(out)
