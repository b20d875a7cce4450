"""BS111 warning: a rule set that nobody has

No subject has it. Rules that nobody uses are not looked after, and stand ready for the next token that somebody gives
them to.

Mend: Delete it, or give it to whom it was written for.

    tokens:
      ci: {fingerprint: "sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b", rule_set: reader}
    rule_sets: {reader: {allow: [jobs.list]}, old-reader: {allow: [jobs.get]}}

Mended:

    tokens:
      ci: {fingerprint: "sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b", rule_set: reader}
    rule_sets:
      reader:
        allow: [jobs.list, jobs.get]
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """A rule set without subjects."""
    if not view.holders:
        yield Found(view.position, f"no subject has the rule set {view.name}")
