"""What a subject can do, and who can do an operation, as lines for people and as data for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brickscope.catalog.catalog import CLASSES, Operation, load_catalog
from brickscope.core.policy import Mode
from brickscope.count import counted
from brickscope.policy.written import WrittenRule

from .abilities import Abilities, Ability, Way
from .shown import place
from .summary import Access, Summary

_LISTED = 12
"""How many names of one class and service are listed; all of them are in the JSON."""


def summary_lines(said: Summary) -> list[str]:
    """What somebody can do, in plain sentences."""
    who, subject = said.who, said.who.subject
    where = f" ({place(said.where)})" if said.where is not None else ""
    rule_set = "" if said.abilities is None else f" with the rule set {subject.rule_set.name!r}"  # type: ignore[union-attr]
    lines = [f"{who.name} is a {who.kind}{rule_set}{where}."]
    if said.expired:
        lines.append("It has expired: it may do nothing.")
    if said.bounds:
        lines.append(f"It acts {_sentence(said.bounds)}.")
    if said.mode is Mode.MONITOR:
        lines.append("It is in monitor mode: what is not allowed is logged, and is sent anyway.")
    if said.abilities is None:
        return [
            *lines,
            "It makes no calls: what its tokens may do, the user or service principal they name says.",
        ]
    lines += ["", "It may:", *_may(said.abilities)]
    lines += _may_not(said.abilities)
    lines += _risks(said.abilities)
    return [*lines, "", "Everything else is denied."]


def _sentence(bounds: Sequence[str]) -> str:
    return ", ".join(bounds).replace("gets tokens", "and gets tokens") if len(bounds) > 1 else bounds[0]


def _may(said: Abilities) -> list[str]:
    services: dict[str, dict[str, list[Ability]]] = {}
    for ability in said.allowed():
        services.setdefault(ability.operation.service, {}).setdefault(ability.operation.kind, []).append(
            ability
        )
    lines = []
    for service, kinds in sorted(services.items()):
        lines.append(f"  {service}")
        for kind in CLASSES:
            if kind in kinds:
                lines += _of_kind(service, kind, kinds[kind])
    if said.paths:
        lines.append("  paths that are no operation of the catalogue")
        lines += [f"    {rule.text}  ({place(rule.position)})" for rule in said.paths]
    return lines or ["  nothing"]


def _of_kind(service: str, kind: str, found: list[Ability]) -> list[str]:
    """The operations of one class in one service: those without conditions together, the others each with its own."""
    plain = [each for each in found if each.is_whole]
    lines = []
    if plain:
        names = [each.operation.name.rpartition(".")[2] for each in plain]
        everything = len(plain) == sum(
            1 for each in load_catalog().operations.values() if each.service == service and each.kind == kind
        )
        text = ", ".join(names[:_LISTED]) + (
            f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        )
        if everything and len(names) > 1:
            text = f"all {len(names)}: {text}"
        lines.append(f"    {kind:8} {text}")
    for each in found:
        if not each.is_whole:
            name = each.operation.name.rpartition(".")[2]
            lines.append(f"    {kind:8} {name}, only {_conditions(each)}")
    return lines


def _conditions(ability: Ability) -> str:
    if any(way.whole for way in ability.allowed):
        text = "what is not denied"
    else:
        text = ", or ".join(dict.fromkeys(way.condition or "under a rule" for way in ability.allowed))
    denied = [way.condition or f"as {way.text}" for way in ability.denied]
    return text + (f", and not {' nor '.join(dict.fromkeys(denied))}" if denied else "")


def _may_not(said: Abilities) -> list[str]:
    rules = list(
        dict.fromkeys(
            [way.rule for each in said.operations.values() for way in each.denied] + list(said.denied_paths)
        )
    )
    if not rules:
        return []
    return [
        "",
        "Denied, whatever is allowed:",
        *(f"  {rule.text}  ({place(rule.position)})" for rule in rules),
    ]


def _risks(said: Abilities) -> list[str]:
    """What widens its power, by risk: the operations and the lines that allow them."""
    by_risk: dict[str, list[Ability]] = {}
    for ability in said.allowed():
        if ability.operation.risk:
            by_risk.setdefault(ability.operation.risk, []).append(ability)
    if not by_risk:
        return []
    lines = ["", "With that its holder can go further:"]
    for risk, found in by_risk.items():
        names = [each.operation.name for each in found]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(f"  {', '.join(names[:4])}{more}  ({place(found[0].allowed[0].rule.position)})")
        lines.append(f"    {risk}")
    return lines


def access_lines(operation: Operation, found: Sequence[Access]) -> list[str]:
    """Who can do an operation, in lines."""
    risk = f": {operation.risk}" if operation.risk else "."
    lines = [operation.name, f"  {operation.calls[0]}", f"  class {operation.kind}{risk}", ""]
    able = [each for each in found if each.able]
    near = [each for each in found if not each.able and (each.ways or each.obstacles or each.related)]
    lines.append("Who can:" if able else "Nobody can.")
    for each in able:
        lines += _stands(each)
    if near:
        lines += ["", "Who nearly can:"]
        for each in near:
            lines += _stands(each)
    rest = len(found) - len(able) - len(near)
    if rest:
        lines += ["", f"{counted(rest, 'other subject')} can't."]
    return lines


def _stands(said: Access) -> list[str]:
    lines = [f"  {said.who.name} ({said.who.kind}){''.join(f', {bound}' for bound in said.bounds)}"]
    lines += [f"    {text}" for text in said.obstacles]
    lines += [f"    allowed {_way(way)}" for way in said.ways]
    lines += [f"    denied {_way(way)}" for way in said.denied]
    if not said.ways and said.related:
        lines.append(f"    may do others of its class and service, by {_rules(said.related)}")
    return lines


def _way(way: Way) -> str:
    condition = f"{way.condition}, " if way.condition else ""
    return f"{condition}by {way.rule.text}  ({place(way.rule.position)})"


def _rules(rules: Sequence[WrittenRule]) -> str:
    more = f" and {len(rules) - 2} more" if len(rules) > 2 else ""
    return "; ".join(f"{rule.text} ({place(rule.position)})" for rule in rules[:2]) + more


# -- as data -------------------------------------------------------------------------------------------------------


def summary_data(said: Summary) -> dict[str, Any]:
    """What somebody can do, as data."""
    found = said.abilities
    return {
        "subject": said.who.name,
        "kind": said.who.kind,
        "place": None if said.where is None else place(said.where),
        "mode": said.mode.value,
        "expired": said.expired,
        "bounds": list(said.bounds),
        "operations": []
        if found is None
        else [
            {
                "operation": each.operation.name,
                "class": each.operation.kind,
                "risk": each.operation.risk or None,
                "allowed": [_way_data(way) for way in each.allowed],
                "denied": [_way_data(way) for way in each.denied],
                "whole": each.is_whole,
            }
            for each in found.allowed()
        ],
        "paths": [] if found is None else [_rule_data(rule) for rule in found.paths],
    }


def access_data(operation: Operation, found: Sequence[Access]) -> dict[str, Any]:
    """Who can do an operation, as data."""
    return {
        "operation": operation.name,
        "class": operation.kind,
        "risk": operation.risk or None,
        "subjects": [
            {
                "subject": each.who.name,
                "kind": each.who.kind,
                "able": each.able,
                "bounds": list(each.bounds),
                "obstacles": list(each.obstacles),
                "allowed": [_way_data(way) for way in each.ways],
                "denied": [_way_data(way) for way in each.denied],
                "related": [_rule_data(rule) for rule in each.related],
            }
            for each in found
        ],
    }


def _way_data(way: Way) -> dict[str, Any]:
    return {**_rule_data(way.rule), "condition": way.condition or None, "whole": way.whole}


def _rule_data(rule: WrittenRule) -> dict[str, Any]:
    return {"rule": rule.text, "place": place(rule.position)}
