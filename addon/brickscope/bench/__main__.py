"""``scripts/bench``: run the benches and compare each number with its bound."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from . import capacity, decisions, endtoend, hooks, identity, log, operations
from .machine import describe_machine, describe_versions
from .measurement import Measurement, Verdict
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
}


@click.command(help="Measure what a proxied call costs, and compare each number with its bound.")
@click.option("--quick", is_flag=True, help="Fewer rounds: two minutes instead of ten, and more noise.")
@click.option(
    "--only", type=click.Choice(list(BENCHES)), multiple=True, help="Only this bench; may be repeated."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report there as well.")
@click.option("--strict", is_flag=True, help="Exit with status 1 if a bound is exceeded.")
def main(quick: bool, only: tuple[str, ...], json_file: Path | None, strict: bool) -> None:
    """Run the benches."""
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
        with progress.status("starting") as status:
            for name in only or BENCHES:
                found += BENCHES[name](quick=quick, say=status.update)
    except StartError as error:
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


if __name__ == "__main__":
    main()
