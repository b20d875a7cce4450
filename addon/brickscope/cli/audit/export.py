"""``brickscope audit export``: the log as events of ECS or OCSF, for a SIEM."""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click
import orjson

from brickscope.analysis.table import shown
from brickscope.audit.export.stream import FORMATS, EventStream, period_to_read
from brickscope.audit.plain import to_json
from brickscope.audit.table import new_file
from brickscope.cli.command import command
from brickscope.cli.options import NEW_FILE
from brickscope.cli.output import Output, progress, say
from brickscope.cli.selection import Selection, log_options, open_log


@command("export")
@log_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["ecs", "ocsf"]),
    required=True,
    help="ecs: Elastic Common Schema 9.4. ocsf: OCSF 1.8, calls as API Activity (6003).",
)
@click.option("--out", type=NEW_FILE, metavar="FILE", help="File to write. Default: standard output.")
def export_command(selection: Selection, form: str, out: Path | None) -> None:
    """Write the log as events for a SIEM, one JSON object a line, in no order.

    A call is one event, with how it ended if that is known: within the log, or up to a day after --until. Every event has
    an id that is the same in each export of it (ECS event.id, OCSF metadata.uid), so what is sent twice can be dropped. To
    send what is new each hour, export one hour after the other. The records themselves: brickscope audit search --json.

    Lines that are no record are left out, and counted on standard error. docs/shipping.md has the mapping.

    \b
    Exit status: 0 done, 2 the log can't be read or the file not written.

    \b
    Examples:
      brickscope audit export --format ecs --since 1h > events.ndjson
      brickscope audit export --format ocsf --since 2026-11-24 --until 2026-11-25 --out ocsf.jsonl /var/log/brickscope
    """
    wide = selection._replace(period=period_to_read(selection.period))
    with open_log(wide) as log:
        Output(csv=out).refuse_to_overwrite(source.path for source in log.sources)
        with progress("exporting") as told:
            stream = EventStream(log, FORMATS[form], selection.period.until, told)
            with _sink(out) as sink:
                _write(stream, sink)
        _report(stream, form)


@contextlib.contextmanager
def _sink(out: Path | None) -> Iterator[IO[bytes]]:
    """The file, which gets its name when it is whole, or standard output."""
    if out is not None:
        with new_file(out) as part, part.open("wb") as file:
            yield file
        return
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def _write(events: Iterable[dict[str, Any]], sink: IO[bytes]) -> None:
    for event in events:
        try:
            line = orjson.dumps(event)
        except TypeError:  # a number beyond 64 bits
            line = b"\xff"
        # ASCII only: beyond it are characters that act on a terminal.
        sink.write(line if line.isascii() else to_json(event).encode())
        sink.write(b"\n")


def _report(stream: EventStream, form: str) -> None:
    if stream.unmapped:
        kinds = ", ".join(f"{shown(kind)} {count:,}" for kind, count in sorted(stream.unmapped.items()))
        say(f"{form} has nothing for these records, which are left out: {kinds}")
    if stream.foreign:
        say(f"{stream.foreign:,} records lack what this log's have, and are left out")
