"""Rules that are wider than they look: BS401 to BS404."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from brickscope.catalog.catalog import CLASSES, load_catalog
from brickscope.core.rule import Rule
from brickscope.core.template import Rest
from brickscope.policy.written import WrittenRule

from .alignment import reach
from .allowance import Allowance
from .code import codes
from .finding import Finding, Severity
from .proof import Prover, Way
from .survey import RuleSetView

SHOWN = 6
"""How many operations a message names before it counts the rest."""
_PRESET = "preset "


def breadth(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    judge = _Judge(view, prover)
    for written in view.allow:
        found = judge.class_of_all(written)
        if found is None and not written.text.startswith(_PRESET):
            paths = (judge.path(written, path) for path in written.paths)
            found = next(filter(None, paths), None) or judge.service(written)
        if found is not None:
            yield found


class _Judge:
    """Looks at one rule after the other."""

    def __init__(self, view: RuleSetView, prover: Prover) -> None:
        self._view = view
        self._prover = prover
        self._allowance = Allowance(view)

    def path(self, written: WrittenRule, path: Rule) -> Finding | None:
        """BS401 or BS402: a path rule that reaches more than one operation."""
        reached = [each for each in reach(path) if not self._allowance.is_denied(each.operation.name)]
        names = {each.operation.name for each in reached}
        services = sorted({each.operation.service for each in reached})
        wide = isinstance(path.template.segments[-1], Rest) and len(services) > 1
        dangerous = self._dangerous(
            Way(written, each.operation, None, each) for each in reached if wide or each.hidden
        )
        if wide:
            text = f"{written.text} takes in {len(names)} operations of {len(services)} services"
            more = f"among them {_listed(dangerous)}" if dangerous else some(services)
            found = self._finding("BS401", written, f"{text}, {more}", dangerous)
            return found._replace(severity=Severity.ERROR) if dangerous else found
        if len(names) > 1 and dangerous:
            return self._finding(
                "BS402", written, f"{written.text} also takes in {_listed(dangerous)}", dangerous
            )
        return None

    def class_of_all(self, written: WrittenRule) -> Finding | None:
        """BS403: a class without a service."""
        preset = written.text.startswith(_PRESET)
        texts = {rule.text.rpartition(": ")[2] if preset else rule.text for rule in written.operations}
        kinds = [kind for kind in CLASSES if f"class {kind}" in texts]
        if not kinds:
            return None
        text = f"{written.text} means {len(written.operations)} operations, in every service"
        found = self._finding("BS403", written, text, [])
        if preset:
            return found._replace(severity=Severity.NOTE)
        return found if kinds == ["read"] else found._replace(severity=Severity.ERROR)

    def service(self, written: WrittenRule) -> Finding | None:
        """BS404: all operations of a service, of which some do more than read and write."""
        if not written.text.endswith(".*"):
            return None
        operations = load_catalog().operations
        dangerous = self._dangerous(
            Way(written, operations[rule.operation], rule) for rule in written.operations
        )
        if not dangerous:
            return None
        return self._finding("BS404", written, f"{written.text} includes {_listed(dangerous)}", dangerous)

    def _dangerous(self, ways: Iterable[Way]) -> list[Way]:
        """Those that give rights, return secrets or run something, and are really allowed."""
        found: dict[str, Way] = {}
        for way in ways:
            operation = way.operation
            if (
                operation.kind in ("grant", "secret", "execute")
                and operation.name not in found
                and self._prover.proof(way) is not None
            ):
                found[operation.name] = way
        return [found[name] for name in sorted(found)]

    def _finding(self, code: str, written: WrittenRule, text: str, dangerous: Sequence[Way]) -> Finding:
        proof = self._prover.proof(dangerous[0]) if dangerous else None
        return Finding(
            code,
            codes()[code].severity,
            text,
            written.position,
            rule_set=self._view.name,
            subjects=self._view.subjects,
            operations=tuple(way.operation.name for way in dangerous),
            proofs=() if proof is None else (proof,),
        )


def _listed(ways: Sequence[Way]) -> str:
    """Operations in words, with their class."""
    return some([f"{way.operation.name} ({way.operation.kind})" for way in ways])


def some(words: Sequence[str]) -> str:
    """Words in a list, and how many more there are."""
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")
