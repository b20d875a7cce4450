"""All metrics, by ``metrics.yaml``: names, labels and what each number is."""

from typing import Literal, NamedTuple

from brickscope.shipped import table

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One metric. ``text``: what is counted or measured, in one or two sentences. ``labels``: in the order of values.
    ``of``: the attribute of a proxy that it is; empty for one that ``collector.py`` makes."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    of: str = ""


def _read(part: str) -> tuple[Metric, ...]:
    written = table(__package__, "metrics.yaml")[part]
    return tuple(
        Metric(name, each["kind"], each["text"], tuple(each.get("labels", ())), each.get("of", ""))
        for name, each in written.items()
    )


METRICS = _read("process")
"""Of one proxy process."""

FLEET_METRICS = _read("fleet")
"""Of the supervisor, with --workers."""
