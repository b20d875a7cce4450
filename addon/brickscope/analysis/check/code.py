"""The codes of findings: a closed list, and a code is never given another meaning. The page of one is the ``.yaml`` of its
lint; of an escalation, its entry in ``escalations.yaml``. As text they are in ``check --explain`` and SARIF."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from pkgutil import iter_modules
from textwrap import indent
from typing import Any, NamedTuple

from brickscope.shipped import table

from .. import lint
from ..answer import render
from .finding import Found, Severity
from .power import grounds, powers


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
    """A page of ``lint/`` and the functions of its name. Each looks at one thing, which its parameter names."""

    code: Code
    looks: tuple[Callable[[Any], Iterator[Found]], ...]

    def find(self, subject: Any) -> Iterator[Found]:
        """What it finds about a rule set (a RuleSetView), the policy (a Survey) or an acceptance (an Accepted)."""
        for look in self.looks:
            if isinstance(subject, next(iter(look.__annotations__.values()))):
                yield from look(subject)


@cache
def lints() -> tuple[Lint, ...]:
    """All lints, in the order of their codes."""
    modules = [import_module(f"{lint.__name__}.{each.name}") for each in iter_modules(lint.__path__)]
    found = []
    for page in files(lint).iterdir():
        name, _, ending = page.name.rpartition(".")
        if ending == "yaml":
            looks = tuple(getattr(each, name) for each in modules if hasattr(each, name))
            found.append(Lint(_code(**table(lint.__name__, page.name)), looks))
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


def plain(code: Code) -> str:
    """One code for a terminal; Markdown as well."""
    alone = code.needs[0] if len(code.needs) == 1 else ()
    choices = [[powers()[power] for power in part] for part in code.needs]
    operations = [each for power in alone for each in _operations(power)]
    return "\n".join(render("code", code._asdict() | {"choices": choices, "operations": operations}))


def _operations(power: str) -> list[str]:
    """The operations that give a power, why, and what limits them; those with one reason together."""
    held: dict[tuple[str, tuple[str, ...], str | None], list[str]] = {}
    for operation, each in grounds().items():
        for one in each:
            if one.power == power:
                held.setdefault((one.why, one.limit, one.carried), []).append(operation)
    return [
        f"{', '.join(names)}: {why}"
        + (f" Limited by {', '.join(limit)}." if limit else "")
        + (f" Only if the call may carry {carried}." if carried else "")
        for (why, limit, carried), names in held.items()
    ]
