"""The codes of findings: a closed list, and a code is never given another meaning. The page of one is the ``.yaml`` beside
its lint; of an escalation, its entry in ``escalations.yaml``."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from textwrap import indent
from types import ModuleType
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


class Lint(NamedTuple):
    """One file of ``lint/``: its page, and what it looks at: each rule set, the policy, each acceptance."""

    code: Code
    module: ModuleType

    def find(self, what: str, subject: Any) -> Iterator[Found]:
        """What it finds. ``what``: ``of_rule_set`` (a RuleSetView), ``of_policy`` (a Survey), ``of_acceptance``."""
        look: Callable[[Any], Iterator[Found]] | None = getattr(self.module, what, None)
        return iter(()) if look is None else look(subject)


@cache
def lints() -> tuple[Lint, ...]:
    """All lints, in the order of their codes: every page beside which a module of its name lies."""
    names = [each.name.removesuffix(".yaml") for each in files(lint).iterdir() if each.name.endswith(".yaml")]
    found = (
        Lint(_code(**table(lint.__name__, f"{name}.yaml")), import_module(f"{lint.__name__}.{name}"))
        for name in names
    )
    return tuple(sorted(found, key=lambda each: each.code.code))


@cache
def codes() -> Mapping[str, Code]:
    """All codes, in order."""
    found = {each.code.code: each.code for each in lints()}
    found |= {
        code: _code(code=code, **entry) for code, entry in table(__package__, "escalations.yaml").items()
    }
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
