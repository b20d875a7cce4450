"""BS112: a deny that other operations pass."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.catalog.siblings import WAYS, Sibling, beside, siblings_of, titles
from brickscope.core.constraint import ABSENT
from brickscope.core.kind import KINDS
from brickscope.policy.written import WrittenRule

from ..check.finding import Findings, Found, Severity
from ..check.survey import RuleSetView
from ..example import made_up, meeting, plain
from ..judge import Witness
from ..reach import reach
from ..shown import MOST, listed

MAX_FOUND = 24
"""How many operations are proved to pass a deny; where it leaves so many, one more says nothing new."""

_DOES = {"read": "read", "change": "change", "use": "run or use", "rights": "give rights on"}
_BY = {"name": "by its name", "id": "by an id", "through": "through another object", "inside": "from inside"}
# Parameters that have the id of an object of any kind.
_ANY_ID = ("request_object_id", "object_id", "workspace_object_id")


class _Named(NamedTuple):
    """An object that a deny names: the parameter of an operation, a value that the deny is met by, and what it says of other
    parameters that tell what kind of object it is."""

    operation: str
    parameter: str
    value: str
    beside: Mapping[str, frozenset[str]]

    def may_be(self, kind: str) -> bool:
        """Whether the object may be of a kind: nothing says that it is of another one."""
        return all(
            self.beside.get(name, frozenset(said)).intersection(said) for name, said in beside(kind).items()
        )


def passed_deny(view: RuleSetView) -> Findings:
    """Denies with the operations, allowed by the decision function, that do the same with the object that they name."""
    for written in view.deny:
        found: dict[str, tuple[Sibling, Witness]] = {}
        for named in _named(written):
            for sibling in siblings_of(named.operation, named.parameter):
                name = sibling.operation
                if name in found or len(found) >= MAX_FOUND or not named.may_be(sibling.kind):
                    continue
                if view.allowed.mentions(name) and not view.denied.covers(name):
                    proof = _passing(view, sibling, named)
                    if proof is not None:
                        found[name] = sibling, proof
        if found:
            yield _found(written, found)


def _named(written: WrittenRule) -> Iterator[_Named]:
    for rule in written.operations:
        said = {each.name: frozenset(map(str, each.test.one_of)) for each in rule.where if each.test.one_of}
        for constraint in rule.where:
            values = [] if constraint.test.absent else meeting(constraint)
            if values and values[0] is not ABSENT:
                value = str(values[0])
                if constraint.test.prefix and constraint.test.kind.separator == ".":
                    value += ".x" * (2 - value.count("."))  # what is below it is denied as well
                yield _Named(rule.operation, constraint.name, value, said)
    for path in written.paths:
        for each in reach(path):
            said = {name: frozenset({each.values[name]}) for name in each.fixed}
            for name in sorted(each.fixed):
                yield _Named(each.operation.name, name, each.values[name], said)


def _passing(view: RuleSetView, sibling: Sibling, named: _Named) -> Witness | None:
    """A call of a sibling that is allowed, on the object that the deny names (or one of which nobody can tell)."""
    operation = load_catalog().operations[sibling.operation]
    changes = _changes(operation, sibling, named)
    if changes is None:
        return None
    calls = (
        call
        for rule in (None, *view.rule_set.operations.get(operation.name, ()))
        for call in view.prover.variations(operation, rule, changes)
    )
    return next(view.prover.allowed(calls, operation.name), None)


def _changes(operation: Operation, sibling: Sibling, named: _Named) -> dict[str, Any] | None:
    """What a call of a sibling says to be on the object that is denied; None where it can't be."""
    if sibling.way == "inside":
        return {}
    keys = tuple(sibling.parameter.split("."))
    value = _value(operation, keys, sibling, named)
    if value is None:
        return None
    changes: dict[str, Any] = {
        name: said[0] for name, said in beside(sibling.kind).items() if operation.place(name) is not None
    }
    for when in (operation.holder.below_of(keys) or ())[:1]:
        changes[".".join(when)] = True if operation.type_of(when) == "boolean" else made_up(when[-1])
    return changes | {sibling.parameter: value}


def _value(operation: Operation, keys: tuple[str, ...], sibling: Sibling, named: _Named) -> Any:
    value = named.value
    if sibling.way == "through" or (
        sibling.way == "id" and not _is_same_id(named.parameter, sibling.parameter)
    ):
        return made_up(keys[-1])
    if sibling.level is not None:
        parts = value.split(".")
        return ".".join(parts[: sibling.level]) if len(parts) >= sibling.level else None
    kind = KINDS.get((operation.type_of(keys) or "").strip("[]"))
    return plain(f"/{value.removeprefix('/')}" if kind is not None and kind.separator == "/" else value)


def _is_same_id(one: str, other: str) -> bool:
    first, second = one.rpartition(".")[2], other.rpartition(".")[2]
    return second in _ANY_ID or first.endswith(second) or second.endswith(first)


def _found(written: WrittenRule, found: Mapping[str, tuple[Sibling, Witness]]) -> Found:
    ways = {way: [name for name, (sibling, _) in found.items() if sibling.way == way] for way in WAYS}
    (kind, use), _ = Counter((sibling.kind, sibling.use) for sibling, _ in found.values()).most_common(1)[0]
    does = f"{_DOES[use]} {titles()[kind]}"
    by = "; ".join(f"{_BY[way]}: {listed(names, MOST)}" for way, names in ways.items() if names)
    return Found.of(
        written,
        f"{written.text} leaves other operations that {does} ({by})",
        severity=Severity.NOTE if len(ways["inside"]) == len(found) else None,
        operations=found,
        proofs=[found[names[0]][1] for names in ways.values() if names],
    )
