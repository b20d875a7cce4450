"""BS117: a deny by class beside calls that have none."""

import re
from collections.abc import Iterator

from brickscope.catalog.words import telling
from brickscope.core.decision import Refused
from brickscope.core.rule import Rule
from brickscope.core.template import Rest

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..judge import Witness

_OF_ALL = re.compile(r"class \w+")
MADE_UP = "example-credentials"
"""What stands for a variable: a word that no operation has and that says what such a call may hand out."""


def classless_call(view: RuleSetView) -> Findings:
    """Denies of a class in every service, where a path rule allows calls that the catalogue does not know."""
    denies = [written for written in view.deny if _OF_ALL.fullmatch(written.text)]
    open_to = (
        [(written, proof) for written in view.allow for proof in _unknown(view, written.paths)]
        if denies
        else []
    )
    for written in denies if open_to else ():
        first = open_to[0][1]
        paths = dict.fromkeys(proof.rule for _, proof in open_to)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        text = f"{written.text} denies only what the catalogue knows of it; {first.rule}{more} allows other calls too"
        yield Found.of(written, text, proofs=[first], related=[allow for allow, _ in open_to])


def _unknown(view: RuleSetView, paths: tuple[Rule, ...]) -> Iterator[Witness]:
    """For each path that takes in such calls, one that is allowed."""
    for path in paths:
        values = {
            part.name: f"example/{MADE_UP}" if isinstance(part, Rest) else MADE_UP
            for part in path.template.segments
            if part.name
        }
        call = view.prover.path_call(path, values)
        segments = () if call is None or isinstance(call.request, Refused) else call.request.segments
        if call is not None and any(map(telling, segments)):
            yield from (proof for proof in view.prover.allowed([call]) if proof.operation is None)
