"""``scripts/bench``: run the benches and compare each number with its bound."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from . import capacity, decisions, endtoend, fleet, hooks, identity, log, operations
from .machine import describe_machine, describe_versions
from .measurement import Measurement, Say, Verdict
from .peers.command import DOCUMENT, compare_peers
from .peers.document import DocumentError
from .peers.roster import PEERS
from .processes import StartError
from .report import as_table, write_json

BENCHES = {
    "hooks": hooks.measure,
    "identity": identity.measure,
    "decisions": decisions.measure,
    "operations": operations.measure,
    "log": log.measure,
    "endtoend": endtoend.measure,
    "capacity": capacity.measure,
    "fleet": fleet.measure,
}


@click.command(
    help="""Measure what a proxied call costs, and compare each number with its bound.

    With --peers: put the product beside bare mitmdump, a naive addon, Squid, proxy.py, nginx and HAProxy on the same
    load, and write the section on peers of docs/performance.md (half an hour; with --quick three minutes). Peers that
    are not installed are named as not measured.

    \b
    Examples:
      scripts/bench --quick
      scripts/bench --only hooks --only decisions
      scripts/bench --peers --quick --peer squid --peer product --document /tmp/performance.md
    """
)
@click.option("--quick", is_flag=True, help="Fewer rounds: two minutes instead of ten, and more noise.")
@click.option(
    "--only", type=click.Choice(list(BENCHES)), multiple=True, help="Only this bench; may be repeated."
)
@click.option("--peers", is_flag=True, help="Measure the product beside other proxies instead.")
@click.option(
    "--peer",
    "some",
    type=click.Choice([each.name for each in PEERS]),
    multiple=True,
    help="With --peers: only this one, beside bare mitmdump; may be repeated.",
)
@click.option(
    "--document",
    type=click.Path(path_type=Path),
    default=DOCUMENT,
    help="With --peers: the document whose section is remade.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report there as well.")
@click.option("--strict", is_flag=True, help="Exit with status 1 if a bound is exceeded.")
def main(
    quick: bool,
    only: tuple[str, ...],
    peers: bool,
    some: tuple[str, ...],
    document: Path,
    json_file: Path | None,
    strict: bool,
) -> None:
    """Run the benches."""
    if peers and (only or strict or json_file):
        raise click.UsageError("--peers goes with --quick, --peer and --document only")
    if some and not peers:
        raise click.UsageError("--peer goes with --peers only")
    # So that a SIGTERM ends the proxies as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console, progress = Console(), Console(stderr=True)
    machine, versions = describe_machine(), describe_versions()
    console.print(
        f"{machine['cpu']}, {machine['cores_usable']} cores, load {machine['load_average']:.1f}; "
        + ", ".join(f"{name} {text}" for name, text in versions.items()),
        style="dim",
        highlight=False,
        soft_wrap=True,
    )
    found: list[Measurement] = []
    try:
        if peers:
            with _progress(progress) as say:
                compare_peers(console, say, document, some, quick=quick)
            return
        with progress.status("starting") as status:
            for name in only or BENCHES:
                found += BENCHES[name](quick=quick, say=status.update)
    except (StartError, DocumentError) as error:
        progress.print(
            f"The bench failed: {error}", style="red", highlight=False, markup=False, soft_wrap=True
        )
        sys.exit(2)
    # A row is one line where the output goes to a file.
    table_console = console if console.is_terminal else Console(width=max(console.width, 180))
    table_console.print(as_table(found), highlight=False)
    over = [each for each in found if each.verdict is Verdict.OVER]
    bounds = sum(each.bound is not None for each in found)
    console.print(f"\n{bounds - len(over)} of {bounds} bounds are kept.", highlight=False)
    if json_file is not None:
        write_json(json_file, found, quick=quick)
    sys.exit(1 if strict and over else 0)


@contextmanager
def _progress(console: Console) -> Iterator[Say]:
    """A line that changes, on a terminal; one line a step where the output goes to a file, for who looks in later."""
    if console.is_terminal:
        with console.status("starting") as status:
            yield status.update
    else:
        yield lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
