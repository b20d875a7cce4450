"""The readings of a call, each judged by itself: what a server could make of the same bytes, and what the rules say."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from brickscope.core.decide import PLAIN
from brickscope.core.decision import Decision
from brickscope.core.path import Reading
from brickscope.core.request import ApiRequest
from brickscope.log.record import printable

from .shown import verdict

_DATA = re.compile(r"[/?#;%]")


def judge_readings(
    request: ApiRequest, decision: Decision, judge: Callable[[ApiRequest], Decision]
) -> Iterator[dict[str, Any]]:
    """All readings of a call that has several, as ``--json`` prints them; none of one that has one, or a flaw.

    ``decision``: on the call. ``judge``: decides on it with other readings. Of each: ``how``, which behaviours of a server
    it takes, in words; ``target``, path and query as they are read; what is decided of it alone; ``decided``, whether the
    answer to the call is its answer; ``covered``, it is not allowed by itself and need not be, since the API is known to
    take the whole name.
    """
    several = len(request.readings) > 1 and request.flaw is None
    for number, reading in enumerate(request.readings if several else ()):
        answer = judge(request._replace(readings=(reading,), query=reading.query))
        yield {
            "how": reading.how or PLAIN,
            "target": _target(reading, request),
            "decision": verdict(answer.allow),
            "reason": answer.reason.value,
            "detail": printable(answer.detail),
            "rule": answer.rule,
            "operation": answer.operation,
            "decided": number == decision.reading,
            "covered": decision.allow and not answer.allow,
        }


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
