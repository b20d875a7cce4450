"""Denies by class that can't see all that is allowed beside them (BS117): a call outside the catalogue has no class."""

from __future__ import annotations

import re
from collections.abc import Iterator

from brickscope.catalog.catalog import operation_table
from brickscope.catalog.words import telling
from brickscope.core.rule import Rule
from brickscope.core.template import Literal, Rest, Segment

from .code import codes
from .finding import Finding, Proof
from .proof import Prover
from .survey import RuleSetView

_OF_ALL = re.compile(r"class (\w+)\Z")
MADE_UP = "example-credentials"
"""What stands for a variable: a word that no operation has and that says what such a call may hand out."""


def unclassed_calls(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    denies = [(written, _OF_ALL.match(written.text)) for written in view.deny]
    if not any(named for _, named in denies):
        return
    open_to = [(written, proof) for written in view.allow for proof in _unknown(written.paths, prover)]
    for written, named in denies:
        if named is not None and open_to:
            first = open_to[0][1]
            paths = dict.fromkeys(proof.rule for _, proof in open_to)
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            yield Finding(
                "BS117",
                codes()["BS117"].severity,
                f"{written.text} denies only what the catalogue knows of it; {first.rule}{more} allows other calls too",
                written.position,
                rule_set=view.name,
                subjects=view.subjects,
                proofs=(first,),
                related=tuple({allow.position: allow.text for allow, _ in open_to}.items()),
            )


def _unknown(paths: tuple[Rule, ...], prover: Prover) -> Iterator[Proof]:
    """For each path that takes in such calls, one that is allowed."""
    for path in paths:
        segments = [text for part in path.template.segments for text in _filled(part)]
        if not any(map(telling, segments)) or operation_table().match(path.method, segments) is not None:
            continue
        call = prover.call(path.method, "/" + "/".join(segments))
        proof = None if call is None else prover.shown(call, prover.judged(call))
        if proof is not None and proof.operation is None:
            yield proof


def _filled(part: Segment) -> tuple[str, ...]:
    if isinstance(part, Literal):
        return (part.text,)
    text = MADE_UP if part.verb is None else f"{MADE_UP}:{part.verb}"
    return ("example", text) if isinstance(part, Rest) else (text,)
