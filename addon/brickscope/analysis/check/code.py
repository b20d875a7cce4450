"""The codes of findings: a closed list, and a code is never given another meaning. The page of one is the ``.yaml`` of its
lint; of an escalation, its entry in ``escalations.yaml``."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from textwrap import indent
from types import ModuleType
from typing import Any, NamedTuple, get_type_hints

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
    """A function of ``lint/`` and its page. ``about``: what it looks at, by the type of what it takes: each rule set
    (RuleSetView), the policy (Survey), each acceptance (Accepted), or why the policy does not load (PolicyError)."""

    code: Code
    find: Callable[[Any], Iterator[Found]]
    about: type


@cache
def lints() -> tuple[Lint, ...]:
    """All lints, in the order of their codes: of every page the function that is called so."""
    names = [each.name for each in files(lint).iterdir()]
    modules = [name.removesuffix(".py") for name in names if name.endswith(".py") and name != "__init__.py"]
    known = {name: each for module in modules for name, each in vars(_module(module)).items()}
    found = []
    for page in (name.removesuffix(".yaml") for name in names if name.endswith(".yaml")):
        about = next(iter(get_type_hints(known[page]).values()))
        found.append(Lint(_code(**table(lint.__name__, f"{page}.yaml")), known[page], about))
    return tuple(sorted(found, key=lambda each: each.code.code))


def _module(name: str) -> ModuleType:
    return import_module(f"{lint.__name__}.{name}")


def linted(what: Any) -> Iterator[tuple[Code, Found]]:
    """What the lints of such a thing find about it, each with its code."""
    for each in lints():
        if isinstance(what, each.about):
            yield from ((each.code, found) for found in each.find(what))


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
