"""Documents to a compiled policy, with every error of all files at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from brickscope.catalog.catalog import operation_table
from brickscope.core.policy import Mode, Policy, Subject

from .document import Document
from .entry import Entry, Findings
from .finding import explain
from .issuers import compile_issuers, compile_tenants
from .model import ENTRIES, PolicyFile
from .problem import PolicyError, Position, Problem
from .revision import revision
from .rules import compile_rule_set, parse_rules
from .subjects import SubjectCompiler
from .written import Written, WrittenRule

SUBJECTS = ("tokens", "service_principals", "users", "logins")
"""The groups whose names stand in the log as ``subject``."""

SINGLE = ("mode", "contact")


class Compiler:
    """Collects entries and problems of all files, then builds the policy.

    ``now``: seconds since the epoch, for what has expired. ``key_files``: content by name of the ``*.jwks.json``
    beside the policy.
    """

    def __init__(self, now: float, key_files: Mapping[str, bytes] | None = None) -> None:
        self.now = now
        self._key_files = key_files or {}
        self._findings = Findings()
        self._groups: dict[str, dict[str, Entry]] = {key: {} for key in ENTRIES}
        self._single: dict[str, Entry] = {}
        """What one file alone says of the whole policy: its mode, its contact."""
        self._accepted: list[Entry] = []
        self._revoked: set[str] = set()
        self._unread = False
        self.written = Written()
        """The policy as it is written; there once ``finish`` has returned."""

    # -- files -------------------------------------------------------------------------------------------------

    def add(self, document: Document, problems: Sequence[Problem] = ()) -> None:
        """Take in one file and what reading it has found; its errors are kept for the end."""
        self._findings.problems += problems
        if document.data is None:
            self._unread = True
            return
        try:
            file = PolicyFile.model_validate(document.data)
        except ValidationError as error:
            self._findings.problems += [
                explain(document, details) for details in error.errors(include_url=False)
            ]
            # What is sound of a file with errors still counts, or one typing error would raise ten more.
            self._add_sound(document)
            return
        for key in SINGLE:
            self._add_single(key, document, getattr(file, key))
        for key in ENTRIES:
            for name, value in getattr(file, key).items():
                self._add_entry(key, name, document, value)
        self._revoked.update(file.revoked)
        self._accepted += [
            Entry(document, ("accept", index), value) for index, value in enumerate(file.accept)
        ]

    def _add_sound(self, document: Document) -> None:
        if not isinstance(document.data, dict):
            return
        if (mode := document.data.get("mode")) in list(Mode):
            self._add_single("mode", document, mode)
        for key, model in ENTRIES.items():
            group = document.data.get(key)
            for name, value in group.items() if isinstance(group, dict) else ():
                try:
                    entry: Any = model.model_validate(value)
                except ValidationError:
                    entry = None  # named, so that nobody is told it does not exist
                    if key == "rule_sets" and isinstance(value, dict):
                        for part in ("allow", "deny"):
                            rules = value.get(part)
                            texts = rules if isinstance(rules, list) else ()
                            parse_rules(document, (key, name, part), texts, self._findings)
                self._add_entry(key, name, document, entry)

    def _add_single(self, key: str, document: Document, value: str | None) -> None:
        if value is None:
            return
        entry = Entry(document, (key,), value)
        first = self._single.setdefault(key, entry).position()
        if self._single[key] is not entry:
            self._findings.refuse(entry, (), f"{key} is set already in {first.file}:{first.line}")

    def _add_entry(self, key: str, name: str, document: Document, value: Any) -> None:
        entry = Entry(document, (key, name), value)
        for other in SUBJECTS if key in SUBJECTS else (key,):
            if name in self._groups[other]:
                first = self._groups[other][name].key_position()
                message = f"the {_singular(other)} {name!r} is defined already in {first.file}:{first.line}"
                hint = "" if other == key else "names are unique, since the log shows them"
                self._findings.refuse(entry, (), message, hint)
                return
        self._groups[key][name] = entry

    # -- the whole ---------------------------------------------------------------------------------------------

    def finish(self) -> tuple[Policy, list[Problem]]:
        """The policy and its warnings. Raises PolicyError with all errors."""
        groups, findings = self._groups, self._findings
        rule_sets = {}
        written: list[WrittenRule] = []
        for name, entry in groups["rule_sets"].items():
            if entry.value:
                rule_sets[name], rules = compile_rule_set(name, entry, findings)
                written += rules
        subjects = SubjectCompiler(
            findings, rule_sets, None if self._unread else set(groups["rule_sets"]), self.now
        )
        tokens = subjects.tokens(groups["tokens"], self._revoked)
        issuers = compile_issuers(groups["issuers"], self._key_files, findings)
        issuers |= compile_tenants(groups["tenants"], self._key_files, findings)
        principals = subjects.principals(
            groups["service_principals"], groups["users"], groups["logins"], issuers, groups["tenants"]
        )
        single = {key: entry.value for key, entry in self._single.items()}
        mode = Mode(single.get("mode", Mode.ENFORCE))
        known: list[Subject] = [*tokens.values(), *principals.subjects]
        if errors := findings.errors:
            raise PolicyError(errors)
        if not known:
            # No error, which would leave the policy before in force: whoever takes out the last subject means it.
            follows = (
                "every call is denied, and is logged"
                if mode is Mode.ENFORCE
                else "in monitor mode every call is sent, and is logged"
            )
            message = f"the policy names no token, service principal or user; {follows}"
            findings.problems.append(Problem(Position("policy"), "warning", message, "add tokens:"))
        used = {subject.rule_set.name for subject in known}
        for name, entry in groups["rule_sets"].items():
            if name not in used:
                findings.warn(entry.document, entry.key_position(), f"no subject has the rule set {name!r}")
        self.written = Written(
            written,
            {name: entry.key_position() for key in SUBJECTS for name, entry in groups[key].items()},
            {name: entry.key_position() for name, entry in groups["rule_sets"].items()},
            groups,
            self._single["mode"].position() if "mode" in self._single else None,
            self._accepted,
        )
        policy = Policy(tokens, rule_sets, mode, "", principals, operation_table(), single.get("contact"))
        return policy._replace(revision=revision(policy)), sorted(
            findings.problems, key=lambda problem: problem.position
        )


def _singular(key: str) -> str:
    return key.replace("_", " ").removesuffix("s")
