"""The readings of a call, each judged by itself: what a server could make of the same bytes, and what the rules say."""

import re
from collections.abc import Callable
from typing import NamedTuple

from brickscope.core.decide import PLAIN
from brickscope.core.decision import Decision
from brickscope.core.path import Reading
from brickscope.core.request import ApiRequest
from brickscope.log.record import printable

_DATA = re.compile(r"[/?#;%]")


class Judged(NamedTuple):
    """One reading. ``how``: which behaviours of a server it takes, in words. ``target``: path and query as they are read.
    ``decision``: of it alone. ``decided``: whether the answer to the call is its answer. ``covered``: it is not allowed by
    itself and need not be, since the API is known to take the whole name."""

    how: str
    target: str
    decision: Decision
    decided: bool
    covered: bool


def judge_readings(
    request: ApiRequest, decision: Decision, judge: Callable[[ApiRequest], Decision]
) -> tuple[Judged, ...]:
    """All readings of a call that has several; none of one that has one, or a flaw.

    ``decision``: on the call. ``judge``: decides on it with other readings.
    """
    if len(request.readings) < 2 or request.flaw is not None:
        return ()
    alone = [
        judge(request._replace(readings=(reading,), query=reading.query)) for reading in request.readings
    ]
    return tuple(
        Judged(
            reading.how or PLAIN,
            _target(reading, request),
            answer,
            number == decision.reading,
            decision.allow and not answer.allow,
        )
        for number, (reading, answer) in enumerate(zip(request.readings, alone, strict=True))
    )


def decided_by(request: ApiRequest, decision: Decision) -> ApiRequest:
    """The request with the one reading that decided."""
    if len(request.readings) < 2:
        return request
    reading = request.readings[decision.reading]
    return request._replace(readings=(reading,), query=reading.query)


def _target(reading: Reading, request: ApiRequest) -> str:
    """What a server has for the target. Separators that are data stand encoded."""
    parts = (
        _DATA.sub(lambda found: f"%{ord(found[0]):02X}", segment) if segment == route else route
        for segment, route in zip(reading.segments, reading.route, strict=True)
    )
    query = f"?{reading.query}" if reading.query is not None and reading.query != request.query else ""
    return printable(f"/{'/'.join(parts)}{query}")
