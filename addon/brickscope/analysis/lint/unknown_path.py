"""BS110 warning: a path that is no known call

No operation of the catalogue has a path that the rule matches with this method. It may be new, undocumented, or
mistyped; then it allows or denies nothing.

Mend: Look the call up (brickscope catalog search METHOD URL). If it is right, accept the finding with where it is
documented.

    allow: [jobs.list, GET /api/2.1/unity-catalog/catalogues]

Mended:

    allow: [jobs.list, GET /api/2.1/unity-catalog/catalogs]
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView
from ..reach import reach


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Path rules that reach no call of the catalogue."""
    for written in (*view.allow, *view.deny):
        unknown = [path.text for path in written.paths if not reach(path)]
        if unknown:
            yield Found(written.position, f"{unknown[0]} is no call that the catalogue knows")
