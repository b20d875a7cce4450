"""The codes of findings: a closed list. A code is never given another meaning; what is documented of it stands in the
YAML files beside this one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from .finding import Severity

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Code(NamedTuple):
    """One kind of finding. ``title``: what it is, in a few words; ``why``, ``mend``: sentences.

    ``example``, ``mended``: parts of a policy that has the finding, and of one that has not; ``brief``: both in one line
    each, where they are no more than the rules of one rule set. Only of escalations: ``needs``, the powers that make it
    up, one of each list; ``limits``, those whose limits make a combination milder; ``same``, parameters by which its
    parts act on one object; ``opened``, whether the first part counts only for what its rights are worth (power.py).
    """

    code: str
    title: str
    severity: Severity
    why: str
    mend: str
    example: str
    mended: str
    needs: tuple[tuple[str, ...], ...] = ()
    limits: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    brief: tuple[str, ...] = ()
    opened: bool = False


def read_data(name: str) -> dict[str, Any]:
    """A YAML file of this package."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, in C where there is one
    return found


@cache
def codes() -> Mapping[str, Code]:
    """All codes, in order."""
    entries = read_data("lints.yaml") | read_data("escalations.yaml")
    return {code: _code(code, entries[code]) for code in sorted(entries)}


def _code(code: str, entry: dict[str, Any]) -> Code:
    return Code(
        code,
        entry["title"],
        Severity(entry["severity"]),
        entry["why"],
        entry["mend"],
        _policy(entry["example"]),
        _policy(entry["mended"]),
        tuple(map(tuple, entry.get("needs", ()))),
        tuple(entry.get("limits", ())),
        tuple(entry.get("same", ())),
        tuple(f"allow: {_line(entry[key])}" for key in ("example", "mended") if isinstance(entry[key], list)),
        entry.get("opened", False),
    )


def _policy(written: str | list[Any]) -> str:
    """A part of a policy; a list is the rules of one rule set."""
    if isinstance(written, str):
        return written
    lines = ["rule_sets:", "  ci:", "    allow:", *(f"      - {_line(rule)}" for rule in written)]
    return "\n".join(lines) + "\n"


def _line(rule: Any) -> str:
    """A rule as a person writes it in one line."""
    if isinstance(rule, str):
        return f'"{rule}"' if "{" in rule else rule
    if isinstance(rule, dict):
        return "{" + ", ".join(f"{key}: {_line(value)}" for key, value in rule.items()) + "}"
    return "[" + ", ".join(map(_line, rule)) + "]" if isinstance(rule, list) else str(rule)
