"""Documents to a compiled policy, with every error of all files at once."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.rule import Rule, RuleTable, parse_rule
from brickscope.core.template import TemplateError

from .document import Document, Path
from .model import PolicyFile, RuleSetEntry, TokenEntry
from .problem import PolicyError, Position, Problem, nearest, redact

MAX_SUGGESTIONS = 50
"""How many rule sets that do not exist get a suggestion: each is compared with all names there are."""


class _Entry(NamedTuple):
    document: Document
    path: Path
    value: Any


class Compiler:
    """Collects entries and problems of all files, then builds the policy."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.problems: list[Problem] = []
        self._tokens: dict[str, _Entry] = {}
        self._rule_sets: dict[str, _Entry] = {}
        self._mode: _Entry | None = None
        self._unread = False
        self._suggestions = MAX_SUGGESTIONS

    # -- files -------------------------------------------------------------------------------------------------

    def add(self, document: Document, problems: Sequence[Problem] = ()) -> None:
        """Take in one file and what reading it has found; its errors are kept for the end."""
        self.problems += problems
        if document.data is None:
            self._unread = True
            return
        try:
            file = PolicyFile.model_validate(document.data)
        except ValidationError as error:
            self.problems += [_explain(document, details) for details in error.errors(include_url=False)]
            # What is sound of a file with errors still counts, or one typing error would raise ten more.
            self._add_sound(document)
            return
        if file.mode is not None:
            self._add_mode(document, file.mode)
        for name, token in file.tokens.items():
            self._add_entry(self._tokens, "tokens", "token", name, document, token)
        for name, rule_set in file.rule_sets.items():
            self._add_entry(self._rule_sets, "rule_sets", "rule set", name, document, rule_set)

    def _add_sound(self, document: Document) -> None:
        if not isinstance(document.data, dict):
            return
        if (mode := document.data.get("mode")) in list(Mode):
            self._add_mode(document, mode)
        kinds: list[tuple[str, dict[str, _Entry], type[TokenEntry] | type[RuleSetEntry]]] = [
            ("tokens", self._tokens, TokenEntry),
            ("rule_sets", self._rule_sets, RuleSetEntry),
        ]
        for key, entries, model in kinds:
            group = document.data.get(key)
            for name, value in group.items() if isinstance(group, dict) else ():
                try:
                    entry: Any = model.model_validate(value)
                except ValidationError:
                    entry = None  # named, so that nobody is told it does not exist
                    if model is RuleSetEntry and isinstance(value, dict):
                        for part in ("allow", "deny"):
                            rules = value.get(part)
                            self._rules(document, (key, name, part), rules if isinstance(rules, list) else ())
                self._add_entry(entries, key, key.replace("_", " ").rstrip("s"), name, document, entry)

    def _add_mode(self, document: Document, mode: str) -> None:
        if self._mode is not None:
            first = self._mode.document.position(("mode",))
            self._error(
                document,
                document.key_position(("mode",)),
                f"mode is set already in {first.file}:{first.line}",
            )
            return
        self._mode = _Entry(document, ("mode",), mode)

    def _add_entry(
        self, entries: dict[str, _Entry], key: str, kind: str, name: str, document: Document, value: Any
    ) -> None:
        path = (key, name)
        if name in entries:
            first = entries[name].document.key_position(entries[name].path)
            self._error(
                document,
                document.key_position(path),
                f"the {kind} {name!r} is defined already in {first.file}:{first.line}",
            )
            return
        entries[name] = _Entry(document, path, value)

    def _error(self, document: Document, position: Position, message: str, hint: str = "") -> None:
        self.problems.append(document.problem(position, message, hint))

    def _warn(self, document: Document, position: Position, message: str, hint: str = "") -> None:
        self.problems.append(document.problem(position, message, hint, severity="warning"))

    # -- the whole ---------------------------------------------------------------------------------------------

    def finish(self) -> tuple[Policy, list[Problem]]:
        """The policy and its warnings. Raises PolicyError with all errors."""
        rule_sets = {
            name: self._rule_set(name, entry) for name, entry in self._rule_sets.items() if entry.value
        }
        tokens = self._subjects(rule_sets)
        mode = Mode(self._mode.value) if self._mode else Mode.ENFORCE
        errors = [problem for problem in self.problems if problem.severity == "error"]
        if not errors and not tokens and mode is Mode.ENFORCE:
            errors.append(
                Problem(
                    Position("policy"),
                    "error",
                    "the policy names no token, so it allows nothing",
                    "add tokens:",
                )
            )
        if errors:
            raise PolicyError(errors)
        if not tokens:
            message = "the policy names no token; in monitor every call goes on, and is logged"
            self.problems.append(Problem(Position("policy"), "warning", message, "add tokens:"))
        used = {subject.rule_set.name for subject in tokens.values()}
        for name, entry in self._rule_sets.items():
            if name not in used:
                self._warn(
                    entry.document,
                    entry.document.key_position(entry.path),
                    f"no token has the rule set {name!r}",
                )
        policy = Policy(tokens, rule_sets, mode, "")
        return policy._replace(revision=revision(policy)), sorted(
            self.problems, key=lambda problem: problem.position
        )

    def _subjects(self, rule_sets: dict[str, RuleSet]) -> dict[str, Subject]:
        subjects: dict[str, Subject] = {}
        places: dict[str, Position] = {}
        for name, (document, path, token) in self._tokens.items():
            if token is None:
                continue
            place = document.position((*path, "fingerprint"))
            if token.fingerprint in places:
                first = places[token.fingerprint]
                self._error(
                    document,
                    place,
                    f"the fingerprint belongs to another token already ({first.file}:{first.line})",
                    "one token, one name",
                )
                continue
            places[token.fingerprint] = place
            if token.rule_set not in self._rule_sets:
                self._miss_rule_set(document, document.position((*path, "rule_set")), token.rule_set)
                continue
            if token.expires is not None and token.expires <= self.now:
                self._warn(
                    document,
                    document.position((*path, "expires")),
                    f"the token {name!r} has expired; it may do nothing",
                )
            if token.rule_set in rule_sets:
                subjects[token.fingerprint] = Subject(
                    name,
                    rule_sets[token.rule_set],
                    Mode(token.mode) if token.mode else None,
                    frozenset(token.workspaces) if token.workspaces else None,
                    tuple(map(ipaddress.ip_network, token.clients)) if token.clients else None,
                    token.expires,
                )
        return subjects

    def _miss_rule_set(self, document: Document, place: Position, name: str) -> None:
        if self._unread:
            return  # it may stand in the file that could not be read, whose problem is told
        near = ""
        if self._suggestions:
            self._suggestions -= 1
            near = nearest(name, self._rule_sets)
        self._error(document, place, f"there is no rule set {name!r}", near or "define it under rule_sets:")

    def _rule_set(self, name: str, entry: _Entry) -> RuleSet:
        document, path, value = entry
        deny = self._rules(document, (*path, "deny"), value.deny)
        allow = self._rules(document, (*path, "allow"), value.allow)
        denied = RuleTable([rule for _, rule in deny])
        self._find_overlaps(document, deny, "deny")
        self._find_overlaps(document, allow, "allow")
        if deny:
            lines = {id(rule): place.line for place, rule in deny}
            for place, rule in allow:
                if wider := denied.covers(rule):
                    self._error(
                        document,
                        place,
                        f"the rule {rule.text!r} can never allow anything: {wider.text!r} under deny wins",
                        f"delete it, or the one on line {lines[id(wider)]}",
                    )
        return RuleSet(
            name, RuleTable([rule for _, rule in allow]), denied, Mode(value.mode) if value.mode else None
        )

    def _rules(self, document: Document, path: Path, texts: Sequence[Any]) -> list[tuple[Position, Rule]]:
        rules: list[tuple[Position, Rule]] = []
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                continue  # a problem already, by the model
            place = document.position((*path, index))
            try:
                rules.append((place, parse_rule(text)))
            except TemplateError as error:
                line = document.lines[place.line - 1] if 0 < place.line <= len(document.lines) else ""
                quote = 1 if line[place.column - 1 : place.column] in ("'", '"') else 0
                at = place._replace(column=place.column + error.offset + quote)
                if "/" not in text and "." in text:
                    self._error(
                        document,
                        place,
                        f"{text!r} names an operation; this version knows paths only",
                        "METHOD /path",
                    )
                else:
                    self._error(document, at, str(error), error.hint)
        return rules

    def _find_overlaps(self, document: Document, rules: list[tuple[Position, Rule]], key: str) -> None:
        """Warn of rules that another rule of the same list makes superfluous."""
        seen: dict[tuple[str, str], Position] = {}
        broad = RuleTable([rule for _, rule in rules if "{" in rule.text])
        lines = {id(rule): place.line for place, rule in rules}
        for place, rule in rules:
            shape = (rule.method, str(rule.template))
            if shape in seen:
                self._warn(
                    document,
                    place,
                    f"the rule {rule.text!r} stands there already, on line {seen[shape].line}",
                )
                continue
            seen[shape] = place
            wider = broad.covers(rule, besides=rule)
            if wider is not None:
                self._warn(
                    document,
                    place,
                    f"the rule {rule.text!r} is part of {wider.text!r} under {key} already, "
                    f"on line {lines[id(wider)]}",
                )


MAX_WORD = 64
"""How much of a wrong word a message repeats."""

_MESSAGES = {
    "missing": "the key {key!r} is missing",
    "dict_type": "this must be a mapping of names, 'name: value'",
    "model_type": "this must be a mapping, 'key: value'",
    "list_type": "this must be a list, '- one entry a line'",
    "string_type": "this must be text",
    "too_short": "the list is empty",
    "string_pattern_mismatch": "a name has letters, digits, '.', '_' and '-', at most 64",
}


def _explain(document: Document, details: ErrorDetails) -> Problem:
    """pydantic's finding in the words of this format, at its place in the file."""
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    kind, context = details["type"], details.get("ctx", {})
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        # Below tokens the line may be `token: ...`, with the token itself.
        return document.problem(
            document.key_position(path),
            f"unknown key {redact(key)[:MAX_WORD]!r}",
            nearest(key[:MAX_WORD], _keys(path)),
            quote=path[0] != "tokens",
        )
    if kind == "value_error":
        message, _, hint = str(context.get("error", details["msg"])).partition("; ")
        return document.problem(document.position(path), message, hint, quote=key != "fingerprint")
    if kind == "literal_error":
        given = details.get("input")
        expected = str(context.get("expected", ""))
        if key == "version":
            return document.problem(
                document.position(path), "this Brickscope reads version 1 of the format", "version: 1"
            )
        word = redact(str(given))[:MAX_WORD]
        hint = nearest(word, ("enforce", "monitor")) or f"one of {expected}"
        return document.problem(document.position(path), f"{word!r} is no {key}", hint)
    if kind == "string_type" and len(path) >= 2 and path[-2] in ("allow", "deny"):
        return document.problem(
            document.position(path),
            "a rule is one line of text; operations come in a later version",
            "METHOD /path",
        )
    if kind == "too_short" and key == "allow":
        return document.problem(
            document.position(path), "an empty allowlist allows nothing", "list calls or delete it"
        )
    if kind == "missing":
        return document.problem(document.key_position(path[:-1]), _MESSAGES[kind].format(key=key))
    where = document.key_position(path) if kind == "string_pattern_mismatch" else document.position(path)
    return document.problem(where, _MESSAGES.get(kind, "this value can't be used here"))


def _keys(path: Path) -> list[str]:
    """The keys that may stand where an unknown one stands."""
    if len(path) == 3 and path[0] == "tokens":
        return list(TokenEntry.model_fields)
    if len(path) == 3 and path[0] == "rule_sets":
        return list(RuleSetEntry.model_fields)
    return list(PolicyFile.model_fields)


def revision(policy: Policy) -> str:
    """16 hex digits that change with everything that can change a decision, and with nothing else."""
    content = {
        "mode": policy.mode.value,
        "tokens": {
            fingerprint: [
                subject.name,
                subject.rule_set.name,
                subject.mode,
                sorted(subject.workspaces) if subject.workspaces else None,
                sorted(map(str, subject.clients)) if subject.clients else None,
                subject.expires,
            ]
            for fingerprint, subject in policy.tokens.items()
        },
        "rule_sets": {
            rule_set.name: [
                sorted({f"{rule.method} {rule.template}" for rule in rule_set.allow.rules}),
                sorted({f"{rule.method} {rule.template}" for rule in rule_set.deny.rules}),
                rule_set.mode,
            ]
            for rule_set in policy.rule_sets.values()
        },
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
