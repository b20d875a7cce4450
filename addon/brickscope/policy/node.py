"""The nodes of a YAML file, built from the parser's events.

Not by ``yaml.compose``: that recurses in C without a limit, so a file of 40 KB of opening brackets would overflow the
stack and end the process, proxy and all. The parser itself does not recurse, and the depth is limited here.
"""

from collections.abc import Iterable
from typing import cast

import yaml

MAX_DEPTH = 64
"""How deep values may be nested; a policy needs five levels."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TooMuch(Exception):
    """Nested too deeply, or endless. ``place``: the line and column where it becomes so."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.place = line, column


class Node:
    """One value or key: a scalar with ``text``, a list with ``items`` or a mapping with ``pairs``; two are None.

    ``tag`` is what is written, None for none. ``style`` is None for a plain scalar. Lines and columns count from 1.
    """

    __slots__ = ("column", "items", "line", "pairs", "style", "tag", "text")

    def __init__(self, event: yaml.NodeEvent, tag: str | None) -> None:
        mark = event.start_mark
        self.line = mark.line + 1 if mark else 0
        self.column = mark.column + 1 if mark else 0
        self.tag = tag
        self.text: str | None = None
        self.style: str | None = None
        self.items: list[Node] | None = None
        self.pairs: list[tuple[Node, Node]] | None = None


def compose(text: str) -> list[Node]:
    """The root of each document in a text. An alias is the very node that it names, which may lead into itself.

    Raises TooMuch beyond MAX_DEPTH, and yaml.YAMLError for what is no YAML.
    """
    try:
        return _build(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        # PyYAML from 6.0.4 on has a limit of its own, which a file may meet before it meets ours.
        if "nesting depth" in str(error.problem):
            mark = error.problem_mark
            raise TooMuch(mark.line + 1 if mark else 1, mark.column + 1 if mark else 1) from None
        raise


def _build(events: Iterable[yaml.Event]) -> list[Node]:
    roots: list[Node] = []
    anchors: dict[str, Node] = {}
    # Nodes that are not at their end yet, each with the key that waits for its value.
    unfinished: list[tuple[Node, Node | None]] = []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            unfinished.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            anchors = {}  # an anchor ends with its document
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, anchors)
            if unfinished:
                parent, key = unfinished[-1]
                if parent.items is not None:
                    parent.items.append(node)
                elif key is None:
                    unfinished[-1] = parent, node
                elif parent.pairs is not None:
                    parent.pairs.append((key, node))
                    unfinished[-1] = parent, None
            else:
                roots.append(node)
            if isinstance(event, yaml.CollectionStartEvent):
                unfinished.append((node, None))
                if len(unfinished) > MAX_DEPTH:
                    raise TooMuch(node.line, node.column)
    return roots


def _node(event: yaml.NodeEvent, anchors: dict[str, Node]) -> Node:
    if isinstance(event, yaml.ScalarEvent):
        node = Node(event, event.tag)
        node.text = event.value
        node.style = event.style or None  # plain is None or '', by loader
    elif isinstance(event, yaml.CollectionStartEvent):
        node = Node(event, event.tag)
        if isinstance(event, yaml.SequenceStartEvent):
            node.items = []
        else:
            node.pairs = []
    elif event.anchor in anchors:
        return anchors[event.anchor]
    else:
        mark = cast("yaml.error.Mark", event.start_mark)  # libyaml's has the same attributes
        raise yaml.MarkedYAMLError(problem="found undefined alias", problem_mark=mark)
    if event.anchor:
        anchors[event.anchor] = node
    return node
