"""``brickscope audit verify``: what the log proves, what it cannot, and where it was tampered with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from brickscope.audit.evidence import Evidence
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.cli.command import command
from brickscope.cli.options import keys_option, public_key_option
from brickscope.cli.output import Answer, answers
from brickscope.cli.selection import find_files
from brickscope.cli.terminal import line, progress_of, shown
from brickscope.log.chain import Link
from brickscope.log.head import HeadFile
from brickscope.log.key import VerifyKey

MOST = 50


@command("verify")
@click.argument("paths", nargs=-1)
@public_key_option
@keys_option(
    "Folder of the proxy's keys: the last known end of the log is there, if this is the proxy's host."
)
@click.option(
    "--expect",
    metavar="INSTANCE:SEQ:HASH",
    help="A record that the log must have come to, noted elsewhere before.",
)
@click.option("--schema", is_flag=True, help="Also hold each record against the published schema (slower).")
@answers
def verify_command(
    paths: tuple[str, ...],
    public_key: Path | None,
    keys: Path,
    expect: str | None,
    schema: bool,
) -> Answer:
    """Say exactly what the log proves, what it can't, and what was altered, removed, inserted, reordered or cut, and where.

    PATHS are files (plain, .zst, .gz), folders and patterns; which files make one log is told by the chain. Works offline.

    \b
    Exit status: 0 nothing is wrong, 1 something is (or no record was found), 2 the command can't be carried out.

    \b
    Examples:
      brickscope audit verify
      brickscope audit verify /var/log/brickscope --public-key proxy-1.pem
      brickscope audit verify audit.jsonl --expect 1a2b3c4d:5000:9f86d081884c7d65… --json
    """
    link = None if expect is None else _link(expect)
    found = check_logs(find_files(paths), public_key, keys, link, schema)
    good = all(each.intact and each.records for each in found)
    data = {"intact": good, "logs": [_data(each) for each in found]}
    return Answer(data, lambda: _print(found), failed=not good)


def check_logs(
    files: list[Path], public_key: Path | None, keys: Path, expected: Link | None = None, schema: bool = False
) -> list[Evidence]:
    """Check the logs that these files make, with a progress bar. Raises AuditError for a key that can't be read."""
    key = None if public_key is None else VerifyKey.load(public_key)
    with progress_of("checking the log", files) as count:

        def make(active: Path | None) -> Verifier:
            head = None if active is None else HeadFile(keys, active).read()
            return Verifier(key, expected or head, schema=schema, progress=count)

        return verify_logs(files, make)


def _link(text: str) -> Link:
    parts = text.split(":")
    if len(parts) != 3 or not parts[1].isdigit() or len(parts[2]) != 64:
        raise click.BadParameter("it is INSTANCE:SEQ:HASH with 64 hex digits", param_hint="--expect")
    return Link(parts[0], int(parts[1]), parts[2].lower())


def _data(found: Evidence) -> dict[str, Any]:
    signed = found.signed
    return {
        "files": found.files,
        "records": found.records,
        "bytes": found.bytes,
        "first_time": found.first_time,
        "last_time": found.last_time,
        "end": found.end and found.end._asdict(),
        "signed": signed and {**signed._asdict(), "link": signed.link._asdict()},
        "signed_records": found.signed_records,
        "records_after_signature": found.after,
        "intact": found.intact,
        "findings": [each._asdict() for each in found.findings],
        "more_findings": found.more_findings,
        "notes": [each._asdict() for each in found.notes],
        "more_notes": found.more_notes,
        "calls_without_outcome": found.unfinished,
        "in_flight": found.in_flight,
        "proved": found.proved(),
        "not_proved": found.not_proved(),
    }


def _print(logs: list[Evidence]) -> None:
    for found in logs:
        names = found.files if len(found.files) <= 3 else (*found.files[:2], "…", found.files[-1])
        line((shown(", ".join(names)), "bold"))
        if not found.records:
            line(("  no record was found", "red"))
        _list("WRONG", "red", map(str, found.findings), found.more_findings)
        _list("proved", "green", found.proved())
        _list("told by the log", "yellow", map(str, found.notes), found.more_notes)
        if found.unfinished:
            ids = ", ".join(found.in_flight[:10]) + (" …" if found.unfinished > 10 else "")
            text = f"{found.unfinished:,} call(s) were let go on and have no outcome: {ids}"
            _list("in flight", "yellow", [text])
        _list("not proved", "dim", found.not_proved())
        if found.end is not None:
            line((f"  end: {found.end.instance}:{found.end.seq}:{found.end.hash}", "dim"))


def _list(title: str, style: str, texts: Iterable[str], more: int = 0) -> None:
    found = list(texts)
    for text in found[:MOST]:
        line((f"  {title}: ", style), shown(text))
    rest = len(found[MOST:]) + more
    if rest:
        line((f"  {title}: and {rest:,} more", style))
