"""``brickscope audit tail``: the log as it is written, one readable line a record."""

import time
from collections import OrderedDict
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click
import orjson

from brickscope.analysis.answer import render
from brickscope.analysis.table import shown
from brickscope.audit.follow import Follower
from brickscope.audit.plain import to_json
from brickscope.audit.search import Filter
from brickscope.cli.command import command
from brickscope.cli.options import COUNT, NEW_FILE
from brickscope.cli.output import echo, say
from brickscope.count import counted

from .search import filter_options, make_filter

PAUSE = 0.2
"""Seconds between two looks at the file."""
REMEMBERED = 10_000
"""Calls under way whose outcome is still to come."""
Record = dict[str, Any]


@command("tail")
@click.argument("log", default="audit.jsonl", type=NEW_FILE)
@filter_options
@click.option("--event", multiple=True, help="Only records of this kind: decision, outcome, reload, …")
@click.option(
    "-n", "--lines", type=COUNT, default=10, show_default=True, help="Start with this many of the last lines."
)
@click.option("--once", is_flag=True, help="Stop there; do not wait for more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def tail_command(log: Path, lines: int, once: bool, as_json: bool, **filters: tuple[str, ...]) -> None:
    """Follow the log, through rotations, until Ctrl-C.

    LOG is the file that the proxy writes. With a filter on calls, their outcomes are shown with them.

    \b
    Exit status: 0 ended by Ctrl-C or --once, 2 the file can't be read.

    \b
    Examples:
      brickscope audit tail
      brickscope audit tail /var/log/brickscope/audit.jsonl --decision deny
      brickscope audit tail --subject etl --json | jq -r .path
    """
    view = _View(make_filter(**filters), as_json)
    if not log.exists() and once:
        raise click.UsageError(f"there is no audit log {log}")
    with suppress(KeyboardInterrupt), closing(Follower(log, lines)) as follower:
        while True:
            for line in follower.poll():
                view.show(line)
            if once:
                return
            time.sleep(PAUSE)


class _View:
    """Prints the records that are wanted."""

    def __init__(self, wanted: Filter, as_json: bool) -> None:
        self.wanted = wanted
        self.as_json = as_json
        self._open: OrderedDict[str, Record] = OrderedDict()
        self._seq: dict[str, int] = {}

    def show(self, line: bytes) -> None:
        """Print a line of the log, if it is wanted."""
        if not line.strip():
            return
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = None
        if not isinstance(record, dict):
            say("a line that is no record")
            return
        self._note_gap(record)
        call = self._call(record)
        if not self._is_wanted(record, call):
            return
        if self.as_json:
            click.echo(to_json(record))
        else:
            echo(render("tail", {"record": {"event": None} | record, "call": call or {}}))

    def _note_gap(self, record: Record) -> None:
        """Say if records are missing: two rotations between two looks, or a log that was cut."""
        instance, seq = str(record.get("instance")), record.get("seq")
        if isinstance(seq, int):
            before = self._seq.get(instance)
            if before is not None and seq > before + 1:
                say(f"not shown: {counted(seq - before - 1, 'record')} of {shown(instance)}")
            self._seq = {instance: seq}

    def _call(self, record: Record) -> Record | None:
        """The decision that an outcome belongs to."""
        decision_id = str(record.get("decision_id"))
        if record.get("event") == "decision":
            self._open[decision_id] = record
            if len(self._open) > REMEMBERED:
                self._open.popitem(last=False)
        elif record.get("event") == "outcome":
            return self._open.pop(decision_id, None)
        return None

    def _is_wanted(self, record: Record, call: Record | None) -> bool:
        wanted = self.wanted
        if record.get("event") != "outcome":
            return not wanted.status and wanted.matches(record)
        if not wanted.matches_status(record.get("status")):
            return False
        kind = wanted._replace(**{name: () for name in wanted._fields if name != "event"})
        return kind.matches(record) and wanted._replace(event=()).matches(call or record)
