"""``scripts/soak``: run a soak, say what held, write the report."""

from __future__ import annotations

import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from lab.bench.processes import StartError

from . import report
from .ledger import first_of
from .soak import FULL, QUICK, run


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help=f"{QUICK.calls:,} calls in about a minute and a half.")
@click.option(
    "--calls", type=click.IntRange(100), help=f"How many calls at least; {FULL.calls:,} if not given."
)
@click.option("--idle", type=click.IntRange(0), help=f"Connections that stay open and silent; {FULL.idle:,}.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Proxy processes.")
@click.option(
    "--report", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it there (Markdown)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and output, and name it.")
def main(
    quick: bool,
    calls: int | None,
    idle: int | None,
    workers: int,
    file: Path | None,
    as_json: bool,
    keep: bool,
) -> None:
    """Load the proxy for an hour's worth of calls in minutes while everything goes wrong that can: processes killed, disk
    full, clock jumps, a workspace that hangs or dies, clients that dawdle or drop; then hold every call against what reached
    the workspace and what the audit logs say.

    \b
    Exit status: 0 everything held, 1 something did not, 2 it could not be run.

    \b
    Examples:
      scripts/soak --quick
      scripts/soak --report docs/soak.md
      scripts/soak --calls 1000000 --workers 4 --json
    """
    if sys.platform != "linux":
        raise click.UsageError("the soak reads /proc, which only Linux has")
    # So that a SIGTERM ends the proxies as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scale = QUICK if quick else FULL
    scale = scale._replace(
        calls=scale.calls if calls is None else calls,
        idle=scale.idle if idle is None else idle,
        workers=workers,
    )
    _raise_limit(scale.idle)
    console, progress = Console(), Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="brickscope-soak-"))
    try:
        with progress.status("starting") as status:
            result = run(folder, scale, status.update)
    except StartError as error:
        progress.print(
            f"The soak failed: {error}", style="red", highlight=False, markup=False, soft_wrap=True
        )
        raise SystemExit(2) from None
    finally:
        if keep:
            progress.print(f"kept: {folder}", highlight=False)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    command = "scripts/soak" + (" --quick" if quick else "") + (f" --calls {calls}" if calls else "")
    command += f" --report {file}" if file else ""
    if file is not None:
        file.write_text(report.as_markdown(result, command))
    if as_json:
        click.echo(report.as_json(result))
    else:
        judged = result.judgement
        console.print(
            f"{judged.calls:,} calls in {result.seconds:,.0f} s; {judged.broken:,} broke, as something was broken",
            highlight=False,
        )
        for check in result.checks:
            console.print(
                f"[green]ok[/]      {check.name}" if check.holds else f"[bold red]FAILED[/]  {check.name}",
                highlight=False,
            )
            for text in first_of(check.details):
                console.print(f"        {text}", highlight=False, markup=False, soft_wrap=True)
        for text in result.not_run:
            console.print(f"not run {text}", style="yellow", highlight=False, markup=False)
    raise SystemExit(0 if result.passed else 1)


def _raise_limit(idle: int) -> None:
    """A connection costs a descriptor here and two in a worker, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * idle + 4096
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


if __name__ == "__main__":
    main()
