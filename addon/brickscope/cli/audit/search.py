"""``brickscope audit search``: calls by simple filters, and one's own questions in SQL."""

from itertools import islice
from typing import Any

import click

from brickscope.analysis.answer import render
from brickscope.audit.plain import to_json
from brickscope.audit.reader import AuditLog
from brickscope.audit.search import Filter, search_sql
from brickscope.audit.table import Table, keep_answer, write_answer
from brickscope.cli.command import command
from brickscope.cli.options import COUNT
from brickscope.cli.output import Output, echo, output_options, progress, say
from brickscope.cli.selection import Selection, log_options, open_log

_LEFT_OUT = ("schema", "prev_hash", "hash", "signature", "public_key", "log_file")
"""Of records of a kind, what is nothing to look at."""


def filter_options(of: Any) -> Any:
    """Adds the filters, which a command gets by their names."""
    several = "May be given several times; * stands for any text."
    for option in (
        click.option("--subject", multiple=True, help=f"Who. {several}"),
        click.option("--operation", multiple=True, help="The operation: jobs.run_now, jobs.*."),
        click.option("--reason", multiple=True, help="The reason: no_rule_matches, …"),
        click.option(
            "--decision",
            multiple=True,
            type=click.Choice(["allow", "deny", "sent"]),
            help="sent: allowed, or denied in monitor mode and sent anyway.",
        ),
        click.option("--client", multiple=True, help="The client address: 10.0.8.14, 10.0.8.*."),
        click.option("--method", multiple=True, help="The method of the call: GET, POST, …"),
        click.option("--path", multiple=True, help="The path of the call: /api/2.1/jobs/*."),
        click.option("--credential", multiple=True, help="The credential behind a placeholder."),
        click.option("--status", multiple=True, help="The status of the answer: 404, 4xx, none."),
    ):
        of = option(of)
    return of


def make_filter(client: tuple[str, ...], **values: tuple[str, ...]) -> Filter:
    """The filter that the options say. Raises click.UsageError."""
    wanted = Filter(client_address=client, **values)
    try:
        wanted.check()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return wanted


@command("search")
@log_options
@filter_options
@click.option(
    "--event", multiple=True, help="Records of this kind instead of calls: reload, tunnel, gap, outcome, …"
)
@click.option("--sql", metavar="SELECT", help="A query on the views of the log (docs/audit.md).")
@click.option(
    "--limit", type=COUNT, default=100, show_default=True, metavar="N", help="Only the last N; 0 for all."
)
@output_options
def search_command(
    selection: Selection, sql: str | None, limit: int, output: Output, **filters: tuple[str, ...]
) -> None:
    """Find calls with their outcomes, or query the log in SQL.

    --json prints one object a line. Files get all columns.

    \b
    Exit status: 0 found, 1 nothing found, 2 the log can't be read or the query not understood.

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
        if sql is None:
            asked, parameters = search_sql(wanted, limit)
            found = _answer(log, asked, parameters, output, "events" if wanted.event else "calls")
        else:
            _check_select(log, sql)
            found = _answer(log, sql.strip().rstrip(";"), {}, output, "rows", limit)
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
    log: AuditLog, sql: str, parameters: dict[str, Any], output: Output, what: str, limit: int = 0
) -> bool:
    """Print or write an answer; whether there was any row. ``what``: ``calls``, ``events`` (shown by the columns that they
    use), or ``rows`` of any kind. ``limit``: how many are printed."""
    with progress("reading the log") as told:
        rows = keep_answer(log, sql, parameters, told)
    if output.parquet is not None:
        write_answer(log, output.parquet)
        return rows > 0
    answer = Table.of_result(log.ask("FROM answer"))
    if output.is_file:
        output.write(log, answer)
    elif output.as_json:
        for each in answer.objects():
            click.echo(to_json(each))
    elif rows:
        part = list(islice(answer.rows, limit or None))
        names = [
            name
            for at, name in enumerate(answer.columns)
            if what != "events" or (name not in _LEFT_OUT and any(row[at] is not None for row in part))
        ]
        found = [dict(zip(answer.columns, row, strict=True)) for row in part]
        echo(
            render(
                "calls" if what == "calls" else "rows",
                {"names": names, "rows": found, "rest": rows - len(part)},
            )
        )
    return rows > 0
