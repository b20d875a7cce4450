"""``brickscope audit report``: what the log says, as one HTML file for auditors."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .key import KEYS
from .output import Output
from .selection import Selection, find_files, log_options, open_log, report_faults
from .terminal import progress, shown
from .verify import check_logs

if TYPE_CHECKING:
    from brickscope.policy.load import Loaded
    from brickscope.report.facts import Earlier
    from brickscope.report.report import Report

OUT = Path("audit-report.html")


@click.command("report")
@log_options
@click.option(
    "--rules",
    type=click.Path(exists=True, path_type=Path),
    help="The policy: also say who could do what, and who of it did nothing.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    default=OUT,
    show_default=True,
    metavar="FILE",
    help="Where to write it; - for standard output.",
)
@click.option("--force", is_flag=True, help="Overwrite that file.")
@click.option("--title", help="Heading of the report. Default: its days.")
@click.option(
    "--stale-days",
    default=30,
    show_default=True,
    type=click.IntRange(1, 36500),
    metavar="N",
    help="Name subjects without a call in the last N days.",
)
@click.option("--no-verify", is_flag=True, help="Do not check whether the log is whole and unaltered.")
@click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The proxy's key in PEM form, as for `brickscope audit verify`.",
)
@click.option(
    "--keys",
    type=click.Path(file_okay=False, path_type=Path),
    default=KEYS,
    show_default=True,
    help="Folder of the proxy's keys, as for `brickscope audit verify`.",
)
def report_command(
    selection: Selection,
    rules: Path | None,
    out: Path,
    force: bool,
    title: str | None,
    stale_days: int,
    no_verify: bool,
    public_key: Path | None,
    keys: Path,
) -> None:
    """Write one HTML file that says who could do what, who did what, what was denied and why, and what the log can't show.

    It needs nothing but a browser: no network, no other file. With --since, what came before is read too, to tell which
    tokens and client addresses are new.

    \b
    Exit status: 0 written, 1 written and the log is damaged, 2 it can't be written.

    \b
    Examples:
      brickscope audit report --since 30d --rules rules
      brickscope audit report /var/log/brickscope --since 2026-10-01 --until 2026-11-01 --out october.html
      brickscope audit report proxy-*/audit*.jsonl* --public-key proxy.pem --title 'Proxies in Frankfurt'
    """
    to_stdout = out == Path("-")
    if not to_stdout and out.exists() and not force:
        raise click.UsageError(f"{out} is there already: give another --out, or --force")
    if not to_stdout and not out.parent.is_dir():
        raise click.UsageError(f"there is no folder {out.parent} to write {out.name} into")
    now = datetime.now(UTC)
    loaded = None if rules is None else _load(rules, now)
    files = find_files(selection.paths)
    evidence = None if no_verify else check_logs(files, public_key, keys)
    earlier = _read_earlier(selection)
    target = Output() if to_stdout else Output(csv=out)  # any of these is kept from being a file of the log
    with open_log(selection, target) as log:
        import duckdb

        from brickscope.report.page import render
        from brickscope.report.report import EmptyLogError, gather

        def made() -> Report:
            return gather(
                log,
                made=now.replace(tzinfo=None),
                period=selection.period,
                stale_days=stale_days,
                title=title,
                loaded=loaded,
                earlier=earlier,
                evidence=evidence,
                stage=progress,
            )

        try:
            try:
                report = made()
            except duckdb.CatalogException:
                # A file was closed and compressed while it was read, and with the new connection all tables are gone.
                report = made()
        except EmptyLogError as error:
            raise click.UsageError(str(error)) from None
        _write(report, render(report), None if to_stdout else out)
        report_faults(log, report.unreadable)
    if report.status == "damaged" or report.unreadable:
        raise SystemExit(1)


def _load(rules: Path, now: datetime) -> Loaded:
    from brickscope.policy.load import load_policy
    from brickscope.policy.problem import PolicyError

    try:
        return load_policy(rules, now.timestamp())
    except PolicyError as error:
        raise click.UsageError(str(error)) from None


def _read_earlier(selection: Selection) -> list[Earlier]:
    """What was seen before the period, where it does not begin with the log."""
    since = selection.period.since
    if since is None:
        return []
    with open_log(
        selection._replace(period=selection.period._replace(since=None, until=since)), Output()
    ) as log:
        from brickscope.report.facts import gather_earlier

        with progress("reading what came before") as told:
            return gather_earlier(log, told)


def _write(report: Report, page: str, out: Path | None) -> None:
    from brickscope.audit.table import new_file

    content = page.encode("utf-8")
    if out is None:
        sys.stdout.buffer.write(content)
        return
    with new_file(out) as part:
        part.write_bytes(content)
    for sentence in report.sentences:
        click.echo(shown(sentence))
    click.echo(f"{out}: {len(content) / 1000:,.0f} kB")
