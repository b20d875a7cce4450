"""``brickscope audit report``: what the log says, as one HTML file for auditors."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from brickscope.analysis.table import shown
from brickscope.audit.table import new_file
from brickscope.cli.command import command
from brickscope.cli.options import confdir_option, load_rules, public_key_option, rules_option
from brickscope.cli.output import Output, progress
from brickscope.cli.selection import Selection, find_files, log_options, open_log
from brickscope.report.counts import Earlier, gather_earlier
from brickscope.report.page import render
from brickscope.report.report import Report, gather

from .verify import check_logs

OUT = Path("audit-report.html")


@command("report")
@log_options
@rules_option("The policy: also report who could do what, and which subjects did nothing.", optional=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    default=OUT,
    show_default=True,
    metavar="FILE",
    help="File to write; - for standard output.",
)
@click.option("--force", is_flag=True, help="Overwrite that file.")
@click.option("--title", help="Heading of the report. Default: its period.")
@click.option(
    "--stale-days",
    default=30,
    show_default=True,
    type=click.IntRange(1, 36500),
    metavar="N",
    help="Name subjects without a call in the last N days.",
)
@click.option("--no-verify", is_flag=True, help="Do not check whether the log is complete and unaltered.")
@public_key_option
@confdir_option("--keys", "Folder of the proxy's keys, as for `brickscope audit verify`.")
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

    It needs only a browser: no network, no other file. With --since, earlier records are read too, to tell which
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
    loaded = None if rules is None else load_rules(rules, now.timestamp())
    files = find_files(selection.paths, quiet=True)  # open_log says what was left out
    evidence = None if no_verify else check_logs(files, public_key, keys)
    earlier = _read_earlier(selection)
    target = Output() if to_stdout else Output(csv=out)  # any of these is kept from being a file of the log
    with open_log(selection, target) as log:
        import duckdb

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
            report = made()
        except duckdb.CatalogException:
            # A file was closed and compressed while it was read, and with the new connection all tables are gone.
            report = made()
        _write(report, render(report), None if to_stdout else out)
    if report.status == "damaged" or report.unreadable:
        raise SystemExit(1)


def _read_earlier(selection: Selection) -> list[Earlier]:
    """What was seen before the period, where it does not begin with the log."""
    since = selection.period.since
    if since is None:
        return []
    before = selection._replace(period=selection.period._replace(since=None, until=since))
    with open_log(before, quiet=True) as log, progress("reading what came before") as told:
        return gather_earlier(log, told)


def _write(report: Report, page: str, out: Path | None) -> None:
    content = page.encode("utf-8")
    if out is None:
        sys.stdout.buffer.write(content)
        return
    with new_file(out) as part:
        part.write_bytes(content)
    for sentence in report.sentences:
        click.echo(shown(sentence))
    click.echo(f"{out}: {len(content) / 1000:,.0f} kB")
