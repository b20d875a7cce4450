"""BS504 note: one rule set, different bindings

Subjects with the same rights are bound to different workspaces or clients. That may be meant (development and
production); then two rule sets say it better, since a rule added for the one is given to the other.

Mend: Give each its rule set, or the same bindings.

    tokens:
      north:
        fingerprint: sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b
        rule_set: reader
        clients: [10.0.8.0/24]
      south:
        fingerprint: sha256:92b48a8da42f8927774b8afd7185827d48a3e75b541649eb54dbd10fb90a81f7
        rule_set: reader
        clients: [10.9.0.0/16]
    rule_sets:
      reader:
        allow: [jobs.list]

Mended:

    tokens:
      north:
        fingerprint: sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b
        rule_set: reader
        clients: [10.0.8.0/24, 10.9.0.0/16]
      south:
        fingerprint: sha256:92b48a8da42f8927774b8afd7185827d48a3e75b541649eb54dbd10fb90a81f7
        rule_set: reader
        clients: [10.0.8.0/24, 10.9.0.0/16]
    rule_sets:
      reader:
        allow: [jobs.list]
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView
from ..shown import listed


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """A rule set whose subjects are bound to different workspaces or clients."""
    texts = []
    for binding in ("workspaces", "clients"):
        bound: dict[frozenset[str], str] = {}
        for holder in view.holders:
            values = getattr(holder.subject, binding)
            if values is not None:
                bound.setdefault(frozenset(map(str, values)), holder.name)
        if len(bound) > 1:
            texts.append(f"{binding} of {listed([*bound.values()], 4)}")
    if texts:
        yield Found(view.position, f"with the rule set {view.name}, {' and '.join(texts)} differ")
