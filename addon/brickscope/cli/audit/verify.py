"""``brickscope audit verify``: what the log proves, what it cannot, and where it was tampered with."""

import re
from pathlib import Path
from typing import Any

import click

from brickscope.audit.evidence import Evidence
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.cli.command import command
from brickscope.cli.options import confdir_option, public_key_option
from brickscope.cli.output import Answer, answers, progress_of
from brickscope.cli.selection import find_files
from brickscope.log.chain import Link
from brickscope.log.head import HeadFile
from brickscope.log.key import VerifyKey


@command("verify")
@click.argument("paths", nargs=-1)
@public_key_option
@confdir_option(
    "--keys",
    "Folder of the proxy's keys: the last known end of the log is there, if this is the proxy's host.",
)
@click.option(
    "--expect",
    metavar="INSTANCE:SEQ:HASH",
    help="A record that the log must contain, noted elsewhere before.",
)
@click.option("--schema", is_flag=True, help="Also check each record against the published schema (slower).")
@answers
def verify_command(
    paths: tuple[str, ...],
    public_key: Path | None,
    keys: Path,
    expect: str | None,
    schema: bool,
) -> Answer:
    """Check the log: what it proves, what it can't, and what was altered, removed, inserted, reordered or cut, and where.

    PATHS are files (plain, .zst, .gz), folders and patterns; files are joined by their chain. Works offline.

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
    return Answer(data, "verify", failed=not good)


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


_LINK = re.compile(r"([0-9a-f]{8}):([1-9][0-9]{0,17}):([0-9a-f]{64})")


def _link(text: str) -> Link:
    found = _LINK.fullmatch(text.lower())
    if found is None:
        raise click.BadParameter("it is INSTANCE:SEQ:HASH with 64 hex digits", param_hint="--expect")
    return Link(found[1], int(found[2]), found[3])


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
