"""BS102 warning: a rule that others make superfluous

A wider rule of the same list allows (or denies) all of it already. The narrow rule reads like a limit and is none;
the log names the one or the other.

Mend: Delete the narrow rule, or the wide one if the narrow one is what was meant.

    allow: [clusters.list, {service: clusters, class: read}]

Mended:

    allow: [{service: clusters, class: read}]
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Rules that others of their list cover. A limit that another rule undoes is BS103, and said once."""
    undone = {limit.written.position for limit in view.undone_limits}
    for rules in view.lists:
        for written in rules.written:
            if rules.equal(written) is not None or written.position in undone:
                continue
            wider = rules.wider(written)
            if wider:
                names = " and ".join(dict.fromkeys(each.text for each in wider))
                yield Found.of(written, f"{written.text} is part of {names} already", related=wider)
