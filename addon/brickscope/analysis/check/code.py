"""The codes of findings: a closed list, and a code is never given another meaning. The page of one is the ``.yaml`` that has
the name of its lint; of an escalation, its entry in ``escalations.yaml``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from textwrap import indent
from typing import Any, NamedTuple

from brickscope.shipped import table

from .. import lint
from .finding import Found, Severity


class Code(NamedTuple):
    """One kind of finding. ``title``: what it is, in a few words; ``why``, ``fix``: sentences.

    ``example``, ``fixed``: parts of a policy that has the finding, and of one that has not. Only of escalations:
    ``needs``, the powers that make it up, one of each list; ``limits``, those whose limits make a combination milder;
    ``same``, parameters by which its parts act on one object; ``opened``, whether the first part counts only for what its
    rights are worth (power.py).
    """

    code: str
    title: str
    severity: Severity
    why: str
    fix: str
    example: str
    fixed: str
    needs: tuple[tuple[str, ...], ...] = ()
    limits: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    opened: bool = False


Look = Callable[[Any], Iterator[Found]]
LOOKS: dict[str, dict[str, Look]] = {}
"""What the lints do: by page, then by what is looked at."""


def of(what: str, page: str = "") -> Callable[[Look], Look]:
    """Makes a function a lint. ``what`` it looks at: each ``rule_set`` (a RuleSetView), the ``policy`` (a Survey), each
    ``acceptance`` (Accepted). ``page``: its page, if that has another name than the function."""

    def register(look: Look) -> Look:
        LOOKS.setdefault(page or look.__name__, {})[what] = look
        return look

    return register


class Lint(NamedTuple):
    """One kind of finding, and what finds it."""

    code: Code
    looks: Mapping[str, Look]

    def find(self, what: str, subject: Any) -> Iterator[Found]:
        """What it finds in a rule set, the policy or an acceptance."""
        return self.looks[what](subject) if what in self.looks else iter(())


@cache
def lints() -> tuple[Lint, ...]:
    """All lints, in the order of their codes: every page with the functions of its name."""
    names = [each.name for each in files(lint).iterdir()]
    for name in names:
        if name.endswith(".py"):
            import_module(f"{lint.__name__}.{name.removesuffix('.py')}")
    found = (
        Lint(_code(**read_data(name, lint.__name__)), LOOKS.get(name.removesuffix(".yaml"), {}))
        for name in names
        if name.endswith(".yaml")
    )
    return tuple(sorted(found, key=lambda each: each.code.code))


def read_data(name: str, package: str | None = __package__) -> dict[str, Any]:
    """A YAML file of this package, or of another one."""
    found: dict[str, Any] = table(package or "", name)
    return found


@cache
def codes() -> Mapping[str, Code]:
    """All codes, in order."""
    found = {each.code.code: each.code for each in lints()}
    found |= {code: _code(code=code, **entry) for code, entry in read_data("escalations.yaml").items()}
    return dict(sorted(found.items()))


def _code(*, severity: str, example: Any, fixed: Any, **entry: Any) -> Code:
    """A page as it is written."""
    entry |= {name: tuple(entry.get(name, ())) for name in ("limits", "same")}
    entry["needs"] = tuple(map(tuple, entry.get("needs", ())))
    return Code(severity=Severity(severity), example=_policy(example), fixed=_policy(fixed), **entry)


def _policy(written: str | list[Any]) -> str:
    """A part of a policy: as it is written, or from the content of one rule set, or the list of its rules."""
    if isinstance(written, list):
        written = "\n".join(["allow:", *(f"  - {_line(rule)}" for rule in written), ""])
    if "rule_sets:" not in written:
        return f"rule_sets:\n  ci:\n{indent(written, '    ')}"
    return written


def _line(rule: Any) -> str:
    """A rule as a person writes it in one line."""
    if isinstance(rule, str):
        return f'"{rule}"' if "{" in rule else rule
    if isinstance(rule, dict):
        return "{" + ", ".join(f"{key}: {_line(value)}" for key, value in rule.items()) + "}"
    return "[" + ", ".join(map(_line, rule)) + "]" if isinstance(rule, list) else str(rule)
