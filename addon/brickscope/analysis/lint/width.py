"""Rules that allow more than they seem to (BS401 to BS404)."""

from brickscope.catalog.catalog import CLASSES

from ..check.finding import Findings, Found, Severity, classed
from ..check.survey import RuleSetView
from ..shown import MOST, listed
from ..way import ways


def wide_path(view: RuleSetView) -> Findings:
    """BS401: path rules with ``{name...}`` that reach operations of several services."""
    for span in view.spans:
        if span.is_wide:
            found = view.prover.dangerous(span.ways)
            text = (
                f"{span.written.text} matches {len(span.names)} operations of {len(span.services)} services"
            )
            more = f"among them {classed(found)}" if found else listed(span.services, MOST)
            severity = Severity.ERROR if found else None
            first = [*found.values()][:1]
            yield Found.of(span.written, f"{text}, {more}", severity=severity, operations=found, proofs=first)


def hidden_operation(view: RuleSetView) -> Findings:
    """BS402: path rules behind whose variables the API has words of its own."""
    for span in view.spans:
        if not span.is_wide and len(span.names) > 1:
            found = view.prover.dangerous(way for way in span.ways if way.reach and way.reach.hidden)
            if found:
                text, first = f"{span.written.text} also matches {classed(found)}", next(iter(found.values()))
                yield Found.of(span.written, text, operations=found, proofs=[first])


def class_of_all(view: RuleSetView) -> Findings:
    """BS403: rules that are a class without a service, or a preset with one in it."""
    for written in view.allow:
        texts = {
            rule.text.rpartition(": ")[2] if written.is_preset else rule.text for rule in written.operations
        }
        kinds = [kind for kind in CLASSES if f"class {kind}" in texts]
        if kinds:
            mild = None if kinds == ["read"] else Severity.ERROR
            text = f"{written.text} means {len(written.operations)} operations, in every service"
            yield Found.of(written, text, severity=Severity.NOTE if written.is_preset else mild)


def whole_service(view: RuleSetView) -> Findings:
    """BS404: rules ``service.*``."""
    for written in view.allow:
        if written.text.endswith(".*") and not written.is_preset:
            found = view.prover.dangerous(ways([written]))
            if found:
                text, first = f"{written.text} includes {classed(found)}", next(iter(found.values()))
                yield Found.of(written, text, operations=found, proofs=[first])
