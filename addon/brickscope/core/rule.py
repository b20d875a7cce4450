"""Rules, and the table that finds the rule of a request.

A rule set may hold 30,000 rules, and 10,000 tokens may share it, so rules are compiled once into a tree of
dictionaries: a lookup costs by the length of the path, not by the number of rules.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .template import Literal, Rest, Segment, Template, TemplateError, Variable, parse_template

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""The methods a request may have, each in its one spelling (RFC 9110 section 9; methods are case-sensitive)."""
WEBSOCKET = "WEBSOCKET"
"""What the method of a request for a websocket (``websocket.py``) is called in the catalogue, records and messages."""


class Rule(NamedTuple):
    """One entry of a rule set: a method and a path template. ``text`` is as the operator wrote it. ``entry``: which entry of
    its list (``allow`` or ``deny``) it is of, -1 where it is of none.

    ``encoded``: in the catalogue, variables whose value the API decodes by itself, so that a name may hold separators.
    ``content``: in the catalogue, whether the body is a file's content, which holds no parameters.
    ``messages``: in the catalogue, where the body is JSON-RPC, its methods (``message.py``), each with its operation;
    ``text`` is then the operation that can do most.
    """

    method: str
    template: Template
    text: str
    encoded: frozenset[str] = frozenset()
    messages: tuple[tuple[str, str], ...] = ()
    entry: int = -1
    content: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """In the catalogue, all operations that a call of this path can be."""
        return tuple(dict.fromkeys(name for _, name in self.messages)) or (self.text,)


def parse_rule(text: str) -> Rule:
    """Read ``METHOD /path``.

    Raises TemplateError (with offset and hint): not of that form, an unknown method, or a bad path.
    """
    method, space, path = text.partition(" ")
    if not space or not path:
        hint = f"GET {text}" if text.startswith("/") else "GET /api/2.1/unity-catalog/catalogs"
        raise TemplateError("a rule is METHOD and /path separated by one space", 0, hint)
    if method == WEBSOCKET:
        raise TemplateError(
            "a websocket is allowed only by the name of its operation",
            0,
            "brickscope catalog search WEBSOCKET",
        )
    if method not in METHODS:
        known = method.upper() if method.upper() in METHODS else ""
        raise TemplateError(
            f"{method!r} is not a method that a rule can name ({', '.join(METHODS)})",
            0,
            f"write {known}" if known else "",
        )
    try:
        template = parse_template(path)
    except TemplateError as error:
        raise TemplateError(str(error), error.offset + len(method) + 1, error.hint) from None
    return Rule(method, template, text)


class _Node:
    """One step of the tree: which rule ends here, and where each kind of next segment leads."""

    __slots__ = ("literals", "open", "rest", "rest_verbs", "rule", "through", "variable", "verbs")

    def __init__(self) -> None:
        self.open = False
        """Whether anything but a literal may follow."""
        self.literals: dict[str, _Node] = {}
        self.verbs: dict[str, _Node] | None = None
        self.variable: _Node | None = None
        self.rest: Rule | None = None
        self.rest_verbs: dict[str, Rule] | None = None
        self.through: _Node | None = None
        self.rule: Rule | None = None


MAX_THROUGH = 16
"""Most segments that a ``{name...}`` before the end may take; Databricks' longest names have eight."""


class RuleTable:
    """Finds the most literal rule that matches a request, or None.

    Total and side-effect free. Every node is visited at most once a lookup, since it is a tree (and at most MAX_THROUGH
    times below a ``{name...}`` before the end): a hostile path cannot make it slower than the number of rules.
    """

    __slots__ = ("_behind", "_roots", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._roots: dict[str, _Node] = {}
        self._behind: dict[str, _Node] = {}
        for rule in self.rules:
            self._insert(rule)

    def _insert(self, rule: Rule) -> None:
        node = self._roots.setdefault(rule.method, _Node())
        last = len(rule.template.segments) - 1
        for index, segment in enumerate(rule.template.segments):
            node.open = node.open or not isinstance(segment, Literal)
            if not isinstance(segment, Rest):
                node = _step(node, segment)
            elif index != last:
                node.through = node.through or _Node()
                node = node.through
            elif segment.verb is not None:
                node.rest_verbs = node.rest_verbs or {}
                node.rest_verbs.setdefault(segment.verb, rule)
                return
            else:
                node.rest = node.rest or rule
                return
        node.rule = node.rule or rule

    def mirror(self, first: str, other: str) -> None:
        """Let paths that begin with ``other`` be matched like those that begin with ``first``."""
        for root in self._roots.values():
            if first in root.literals:
                root.literals[other] = root.literals[first]

    def answer_heads(self) -> None:
        """Let a HEAD that no rule names be the GET of the same path: it asks for what that would answer, without the answer.

        So a HEAD is never more than its GET, and of no other operation.
        """
        if "GET" in self._roots:
            self._behind["HEAD"] = self._roots["GET"]

    def match(self, method: str, segments: Sequence[str], route: Sequence[str] | None = None) -> Rule | None:
        """The rule for a method and the segments of a path; the most literal one where several match.

        ``segments``: decoded, with which literals are compared. ``route``: the same for verbs, where they differ.
        """
        way = segments if route is None else route
        root = self._roots.get(method)
        found = None if root is None else _find(root, segments, way, 0, len(segments))
        if found is None and method in self._behind:
            return _find(self._behind[method], segments, way, 0, len(segments))
        return found

    def covers(self, rule: Rule, besides: Rule | None = None) -> Rule | None:
        """A rule of this table that matches everything that ``rule`` matches, or None (then some call escapes it).

        ``besides``: a rule that does not count, such as ``rule`` itself where it stands in this table.
        """
        found = (_cover(root, rule.template.segments, 0, besides) for root in self._of(rule.method))
        return next(filter(None, found), None)

    def meeting(self, rule: Rule) -> list[Rule]:
        """The rules of this table that match some path that ``rule`` (no rule of a catalogue) matches as well."""
        found: dict[int, Rule] = {}
        for root in self._of(rule.method):
            _meet(root, rule.template.segments, 0, found)
        return list(found.values())

    def _of(self, method: str) -> list[_Node]:
        """Where the rules of a method begin, its own before those that stand in for them."""
        return [roots[method] for roots in (self._roots, self._behind) if method in roots]


def _step(node: _Node, segment: Literal | Variable) -> _Node:
    if isinstance(segment, Literal):
        found = node.literals.get(segment.text)
        if found is None:
            found = node.literals[segment.text] = _Node()
        return found
    if segment.verb is not None:
        if node.verbs is None:
            node.verbs = {}
        return node.verbs.setdefault(segment.verb, _Node())
    if node.variable is None:
        node.variable = _Node()
    return node.variable


def _find(node: _Node, segments: Sequence[str], route: Sequence[str], at: int, end: int) -> Rule | None:
    """Depth first: literal, then verb or variable, then rest, so that the most literal rule is found first."""
    # Straight down while there is only one way to go.
    while at != end and not node.open:
        child = node.literals.get(segments[at])
        if child is None:
            return None
        node, at = child, at + 1
    if at == end:
        return node.rule
    child = node.literals.get(segments[at])
    if child is not None:
        rule = _find(child, segments, route, at + 1, end)
        if rule is not None:
            return rule
    segment = route[at]
    if ":" not in segment:
        # A colon starts a verb (`POST /x/{id}:run`), which is another operation: {name} never grants it.
        if node.variable is not None:
            rule = _find(node.variable, segments, route, at + 1, end)
            if rule is not None:
                return rule
    elif node.verbs is not None:
        name, _, verb = segment.rpartition(":")
        child = node.verbs.get(verb)
        if child is not None and name and ":" not in name:
            rule = _find(child, segments, route, at + 1, end)
            if rule is not None:
                return rule
    if node.through is not None:
        for following in range(at + 1, min(end, at + MAX_THROUGH) + 1):
            rule = _find(node.through, segments, route, following, end)
            if rule is not None:
                return rule
    if node.rest_verbs is not None:
        name, _, verb = route[end - 1].rpartition(":")
        if name and verb in node.rest_verbs and ":" not in name:
            return node.rest_verbs[verb]
    return node.rest


def _cover(node: _Node, segments: tuple[Segment, ...], at: int, besides: Rule | None) -> Rule | None:
    if at == len(segments):
        return node.rule if node.rule is not besides else None
    if node.rest is not None and node.rest is not besides:
        return node.rest
    segment = segments[at]
    if isinstance(segment, Rest):
        return None
    if isinstance(segment, Literal):
        child = node.literals.get(segment.text)
        found = _cover(child, segments, at + 1, besides) if child is not None else None
        if found is not None:
            return found
        name, colon, verb = segment.text.rpartition(":")
        if not colon:
            return _cover(node.variable, segments, at + 1, besides) if node.variable is not None else None
        child = node.verbs.get(verb) if node.verbs and name and ":" not in name else None
        return _cover(child, segments, at + 1, besides) if child is not None else None
    if segment.verb is None:
        child = node.variable
        return _cover(child, segments, at + 1, besides) if child is not None else None
    child = node.verbs.get(segment.verb) if node.verbs else None
    return _cover(child, segments, at + 1, besides) if child is not None else None


def _meet(node: _Node, segments: tuple[Segment, ...], at: int, found: dict[int, Rule]) -> None:
    if at == len(segments):
        if node.rule is not None:
            found[id(node.rule)] = node.rule
        return
    segment = segments[at]
    if isinstance(segment, Rest):
        _gather(node, found)
        return
    if node.rest is not None:
        found[id(node.rest)] = node.rest
    last = segments[-1]
    for verb, rule in (node.rest_verbs or {}).items():
        if isinstance(last, Rest) or _may_be(last, None, verb):
            found[id(rule)] = rule
    exact = node.literals.get(segment.text) if isinstance(segment, Literal) else None
    if exact is not None:
        _meet(exact, segments, at + 1, found)
    for text, child in () if isinstance(segment, Literal) else node.literals.items():
        name, colon, verb = text.rpartition(":")
        if _may_be(segment, text, verb if colon and name else None):
            _meet(child, segments, at + 1, found)
    if node.variable is not None and _may_be(segment, None, None):
        _meet(node.variable, segments, at + 1, found)
    for verb, child in (node.verbs or {}).items():
        if _may_be(segment, None, verb):
            _meet(child, segments, at + 1, found)
    if node.through is not None:
        for following in range(at + 1, len(segments) + 1):
            _meet(node.through, segments, following, found)
            if following < len(segments) and isinstance(segments[following], Rest):
                break


def _may_be(segment: Segment, literal: str | None, verb: str | None) -> bool:
    """Whether a segment of a rule can be some name with this verb (None for no verb), or this very literal."""
    if isinstance(segment, Literal):
        name, colon, own = segment.text.rpartition(":")
        return bool(name) and ":" not in name and own == verb if colon else verb is None
    return segment.verb == verb and (literal is None or verb is not None or ":" not in literal)


def _gather(node: _Node, found: dict[int, Rule]) -> None:
    """Every rule that ends below a node, at least one segment further."""
    for rule in (node.rest, *(node.rest_verbs or {}).values()):
        if rule is not None:
            found[id(rule)] = rule
    children = [*node.literals.values(), *(node.verbs or {}).values(), node.variable, node.through]
    for child in children:
        if child is not None:
            if child.rule is not None:
                found[id(child.rule)] = child.rule
            _gather(child, found)
