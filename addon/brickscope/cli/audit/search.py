"""``brickscope audit search``: calls by simple filters, and one's own questions in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .output import Output, output_options
from .selection import Selection, log_options, open_log, report_faults
from .terminal import console, progress, say, shown, styled, table

if TYPE_CHECKING:
    from brickscope.audit.reader import AuditLog
    from brickscope.audit.search import Filter

_SHOWN = (
    "time",
    "decision_id",
    "decision",
    "subject",
    "call",
    "operation",
    "reason",
    "status",
    "client_address",
)


def filter_options(command: Any) -> Any:
    """Adds the filters, which a command gets by their names."""
    several = "May be given several times; * stands for any text."
    for option in (
        click.option("--subject", multiple=True, help=f"Who. {several}"),
        click.option("--operation", multiple=True, help="What, by the catalogue: jobs.run_now, jobs.*"),
        click.option("--reason", multiple=True, help="Why: no_rule_matches, …"),
        click.option(
            "--decision",
            multiple=True,
            type=click.Choice(["allow", "deny", "sent"]),
            help="sent: allowed, or denied in monitor mode and sent all the same.",
        ),
        click.option("--client", multiple=True, help="From where: 10.0.8.14, 10.0.8.*"),
        click.option("--method", multiple=True, help="GET, POST, …"),
        click.option("--path", multiple=True, help="/api/2.1/jobs/*"),
        click.option("--status", multiple=True, help="How it ended: 404, 4xx, none."),
    ):
        command = option(command)
    return command


def make_filter(client: tuple[str, ...], **values: tuple[str, ...]) -> Filter:
    """The filter that the options say. Raises click.UsageError."""
    from brickscope.audit.search import Filter

    wanted = Filter(client_address=client, **values)
    try:
        wanted.check()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return wanted


@click.command("search")
@log_options
@filter_options
@click.option(
    "--event", multiple=True, help="Records of a kind instead of calls: reload, tunnel, gap, outcome, …"
)
@click.option("--sql", metavar="SELECT", help="Your own question on the view records (see docs/audit.md).")
@click.option("--limit", default=100, show_default=True, metavar="N", help="The last N only; 0 for all.")
@output_options
def search_command(
    selection: Selection, sql: str | None, limit: int, output: Output, **filters: tuple[str, ...]
) -> None:
    """Find calls, each with how it ended, or ask a question in SQL.

    --json prints one object a line. Files get all columns.

    \b
    Exit status: 0 found, 1 nothing found, 2 the log can't be read or the question not understood.

    \b
    Examples:
      brickscope audit search --subject etl --status 5xx
      brickscope audit search --operation 'secrets.*' --decision sent --since 30d --limit 0 --csv secrets.csv
      brickscope audit search --event reload --json
      brickscope audit search --sql "SELECT user_agent, count(*) FROM decisions GROUP BY ALL ORDER BY 2 DESC"
    """
    wanted = make_filter(**filters)
    if sql is not None and any(wanted):
        raise click.UsageError("--sql goes without filters: write them after WHERE")
    with open_log(selection, output) as log:
        from brickscope.audit.search import search_sql

        if sql is None:
            asked, parameters = search_sql(wanted, limit)
            found = _answer(log, asked, parameters, output, [] if wanted.event else list(_SHOWN), 0)
        else:
            _check_select(log, sql)
            found = _answer(log, sql.strip().rstrip(";"), {}, output, [], limit)
        report_faults(log)
    if not found:
        say("nothing found")
        raise SystemExit(1)


def _check_select(log: AuditLog, sql: str) -> None:
    """Raises click.UsageError for anything but one SELECT: the log is evidence, and a question changes nothing."""
    import duckdb

    statements = log.connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise click.UsageError("--sql takes one SELECT")


def _answer(
    log: AuditLog, sql: str, parameters: dict[str, Any], output: Output, wanted: list[str], limit: int
) -> bool:
    """Print or write an answer. ``limit``: rows that are printed. Whether there was any row."""
    from brickscope.audit.table import Table, to_json, write_parquet_of

    if output.parquet is not None:
        with progress("reading the log"):
            write_parquet_of(log, sql, parameters, output.parquet)
        return bool(log.ask("SELECT 1 FROM exported LIMIT 1").fetchone())
    with progress("reading the log") as told:
        result = log.ask(sql, parameters, told)
    answer = Table.of_result(result)
    first = next(iter(answer.rows), None)
    if first is None:
        return False
    answer = Table(answer.columns, _chain(first, answer.rows))
    if output.is_file:
        output.write(log, answer)
    elif output.as_json:
        for each in answer.objects():
            click.echo(to_json(each))
    else:
        _print(answer, wanted, limit)
    return True


def _chain(first: Any, rest: Any) -> Any:
    yield first
    yield from rest


def _print(answer: Any, wanted: list[str], limit: int) -> None:
    from itertools import islice

    rows = answer.rows
    part = list(islice(rows, limit or None))
    names = list(answer.columns)
    if wanted:
        part = [_call_row(dict(zip(names, row, strict=True))) for row in part]
        names = wanted
    else:
        # Of a kind of records, most columns are none of its own.
        used = [at for at in range(len(names)) if any(row[at] is not None for row in part)] or [0]
        names = [names[at] for at in used]
        part = [[shown(row[at]) for at in used] for row in part]
    out = console()
    out.print(table("", [(shown(name).replace("_", " "), "") for name in names], part))
    if next(iter(rows), None) is not None:
        out.print(styled("and more (--limit 0)", "dim"))


def _call_row(row: dict[str, Any]) -> list[str]:
    from .show import verdict_of

    call = f"{row['method']} {row['path']}" if row["method"] else row["server_address"]
    made = row | {"decision": verdict_of(row)[0], "call": call}
    return [shown(made[name]) for name in _SHOWN]
