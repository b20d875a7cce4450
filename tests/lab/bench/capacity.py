"""The capacity bench: what one worker carries and what a connection and a call cost, to size machines by.

Everything is measured with the product as it is shipped, on one core, with client and upstream on another (where there is
one). ``python -m lab.bench.capacity`` also writes the table into the document, between its marks.
"""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click

from brickscope.service.authority.creation import make_authority
from brickscope.service.authority.folder import AuthorityFolder

from .endtoend import CONNECTIONS, FRESH, Run, make_job, send
from .machine import describe_machine, describe_versions
from .measurement import Bound, Measurement, Say, Spread
from .messages import head_bytes
from .processes import Proxy, StartError
from .report import number, span
from .sockets import Head, open_stream
from .variants import PRODUCT, Stage, open_stage
from .workload import HOST

BENCH = "capacity"
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "upkeep.md"
BEGIN, END = "<!-- capacity: begin -->", "<!-- capacity: end -->"
WARM = 20
"""Connections opened and closed before memory is read, so that what is made once (code, caches) is there."""
SETTLE_SECONDS = 1.0
IDLE = "memory of an idle connection, with its upstream one"
MEMORY = Bound(60)


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    seconds: float
    idle: int


FULL = Scale(5, 4.0, 1000)
QUICK = Scale(2, 1.5, 100)


class Footprint(NamedTuple):
    """What a worker holds: memory at rest, memory and descriptors for each connection that idles after one call."""

    rest: int
    memory: float
    descriptors: float


def measure(*, quick: bool, say: Say, scale: Scale | None = None) -> list[Measurement]:
    """All rows of this bench. Raises StartError if a proxy can't be started."""
    if sys.platform != "linux":
        raise StartError("the capacity bench reads /proc, which only Linux has")
    scale = scale or (QUICK if quick else FULL)
    runs: dict[str, list[Run]] = {}
    feet: list[Footprint] = []
    logged: list[float] = []
    faults = 0
    with open_stage() as stage:
        # The stage's own authority is mitmproxy's, with RSA; the one of `brickscope ca new` has an elliptic curve.
        modern = stage._replace(confdir=stage.folder / "confdir-ec")
        AuthorityFolder(modern.confdir).add(make_authority(["cloud.databricks.com"]))
        for round_ in range(scale.rounds):
            say(f"capacity: calls, round {round_ + 1} of {scale.rounds}")
            with stage.run(PRODUCT) as proxy:
                for load, kind, connections in (("keep", "keep", CONNECTIONS), ("fresh", "fresh", FRESH)):
                    job = make_job(
                        stage, PRODUCT, proxy, kind, connections=connections, seconds=scale.seconds
                    )
                    run = send(job, proxy)
                    runs.setdefault(load, []).append(run)
                    faults += run.result.wrong + run.result.errors
                logged.append(stage.audit_file.stat().st_size / stage.decisions_recorded())
            with modern.run(PRODUCT) as proxy:
                job = make_job(modern, PRODUCT, proxy, "fresh", connections=FRESH, seconds=scale.seconds)
                run = send(job, proxy)
                runs.setdefault("fresh-ec", []).append(run)
                faults += run.result.wrong + run.result.errors
            say(f"capacity: {scale.idle} idle connections, round {round_ + 1} of {scale.rounds}")
            with modern.run(PRODUCT) as proxy:
                feet.append(_footprint(modern, proxy, scale.idle))
    rows = [
        ("memory of a worker at rest", "MiB", [foot.rest / 2**20 for foot in feet]),
        (
            IDLE,
            "KiB",
            [foot.memory / 2**10 for foot in feet],
        ),
        ("file descriptors of a connection", "", [foot.descriptors for foot in feet]),
        *_speed("kept connections", runs["keep"]),
        *_speed("new connections, RSA authority (mitmproxy's own)", runs["fresh"]),
        *_speed("new connections, EC authority (brickscope ca new)", runs["fresh-ec"]),
        ("audit log, decision and outcome of a call", "bytes", logged),
        ("wrong answers and errors", "", [float(faults)]),
    ]
    return [
        Measurement(BENCH, name, unit, Spread.of(values), MEMORY if name == IDLE else None)
        for name, unit, values in rows
    ]


def _speed(what: str, runs: Sequence[Run]) -> list[tuple[str, str, list[float]]]:
    return [
        (f"calls on {what}", "calls/s", [run.rate for run in runs]),
        (f"CPU of a call on {what}", "ms", [run.cpu_ms for run in runs]),
    ]


def _footprint(stage: Stage, proxy: Proxy, count: int) -> Footprint:
    _idle(stage, proxy, WARM, lambda: None)
    time.sleep(SETTLE_SECONDS)
    rest, descriptors = proxy.memory(), proxy.descriptors()
    found: list[tuple[int, int]] = []
    _idle(stage, proxy, count, lambda: found.append((proxy.memory(), proxy.descriptors())))
    ((memory, open_files),) = found
    return Footprint(rest, (memory - rest) / count, (open_files - descriptors) / count)


def _idle(stage: Stage, proxy: Proxy, count: int, look: Callable[[], None]) -> None:
    """Open connections, send one call on each, and look while all of them stand."""
    context = ssl.create_default_context(cafile=str(stage.client_ca))
    with ExitStack() as cleanup:
        for index in range(count):
            stream = open_stream(HOST, stage.upstream_port, context, proxy.port)
            cleanup.callback(stream.close)
            stream.send(head_bytes(stage.allowed[index % len(stage.allowed)]))
            head = Head(stream.read_head())
            stream.read(head.length or 0)
            if head.status != 200:
                raise StartError(f"an allowed call was answered with {head.status}")
        time.sleep(SETTLE_SECONDS)
        look()


# -- the document ----------------------------------------------------------------------------------------------


def table(measurements: Sequence[Measurement]) -> str:
    """The rows as Markdown, with what they were measured on."""
    machine, versions = describe_machine(), describe_versions()
    lines = ["| what | value | lowest and highest |", "|---|---:|---|"]
    for each in measurements:
        value = f"{number(each.spread.value)} {each.unit}".strip()
        lines.append(f"| {each.name} | {value} | {span(each.spread).replace(chr(92), '').strip('[]')} |")
    lines += [
        "",
        f"One worker, {datetime.now(UTC):%Y-%m-%d}, {machine['cpu']}, {machine['cores_usable']} cores (load "
        f"{machine['load_average']:.1f}), Python {versions['python']}, mitmproxy {versions['mitmproxy']}.",
    ]
    return "\n".join(lines)


def fill(document: str, content: str) -> str:
    """A document with ``content`` between its marks. Raises ValueError if they are not there."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"


@click.command(help="Measure what a worker carries, and write the table into docs/upkeep.md.")
@click.option("--quick", is_flag=True, help="Fewer rounds and connections, and more noise.")
@click.option(
    "--document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=DOCUMENT,
    help="Another document with the marks.",
)
def main(quick: bool, document: Path) -> None:
    """Measure and write."""
    try:
        content = table(measure(quick=quick, say=lambda text: click.echo(text, err=True)))
        text = fill(document.read_text(encoding="utf-8"), content)
    except (StartError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    document.write_text(text, encoding="utf-8")
    click.echo(content)


if __name__ == "__main__":
    main()
