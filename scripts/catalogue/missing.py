"""``scripts/missing-calls``: what recorded traffic calls and the catalogue lacks."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TextIO
from urllib.parse import urlsplit

import click

from brickscope.catalog.catalog import operation_table
from brickscope.core.decision import Refused
from brickscope.core.path import read_target

_CALL = re.compile(r"([A-Z]+)\s+((?:https?://|/)\S*)")


def recorded(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Method and path of each call in an audit log (or any JSON lines with ``method`` and ``path``), or in lines that begin
    ``METHOD URL`` or ``METHOD /path``. Other lines are passed over, a torn last one of a log too."""
    for line in lines:
        if line.startswith("{"):
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            method, target = entry.get("method"), entry.get("path")
            if isinstance(method, str) and isinstance(target, str):
                yield method, target
        elif (call := _CALL.match(line)) is not None:
            yield call[1], call[2]


def is_known(method: str, target: str) -> bool:
    """Whether the catalogue has the operation of a call. Raises Refused for a path that can't be read."""
    path = urlsplit(target).path or "/"
    return operation_table().match(method, read_target(path.encode())[0].route) is not None


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.File(encoding="utf-8"))
def main(files: tuple[TextIO, ...]) -> None:
    """List the calls in FILES that the catalogue does not know, each with how often it is there.

    A file is an audit log of the proxy (a client's run in monitor mode, say), or lines of METHOD URL or METHOD /path; - is
    standard input, so `zstd -dc audit.jsonl.zst | scripts/missing-calls -` reads a closed log.

    \b
    Exit status: 0 nothing is lacking, 1 something is, 2 usage.

    \b
    Examples:
      scripts/missing-calls audit.jsonl
      printf 'GET /api/2.0/new/things\\n' | scripts/missing-calls -
    """
    calls: Counter[tuple[str, str]] = Counter()
    for file in files:
        calls.update(recorded(file))
    lacking = 0
    for (method, target), count in sorted(calls.items()):
        try:
            if is_known(method, target):
                continue
            click.echo(f"{count:6}  {method} {target}")
        except Refused as refused:
            click.echo(f"{count:6}  {method} {target}  (not read: {refused.detail})")
        lacking += 1
    click.echo(f"{len(calls)} calls, {lacking} of them unknown", err=True)
    sys.exit(1 if lacking else 0)


if __name__ == "__main__":
    main()
