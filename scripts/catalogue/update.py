"""``scripts/update-catalog``: make the catalogue's files anew, and report what is new, gone or unclassified."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console

from .build import Built, build, render, render_records
from .sdk import Source

FILE = Path(__file__).parents[2] / "addon/brickscope/catalog/operations.jsonl"


def sdk_folder() -> Path:
    """Where the installed ``databricks-sdk`` is. Raises click.UsageError if it is not."""
    spec = find_spec("databricks.sdk")
    if spec is None or not spec.submodule_search_locations:
        raise click.UsageError("databricks-sdk is not installed; run: pip install --upgrade databricks-sdk")
    return Path(next(iter(spec.submodule_search_locations)))


def names_in(text: str) -> set[str]:
    """Every name of every operation in the text of a catalogue file."""
    entries = [json.loads(line) for line in text.splitlines()[1:]]
    return {name for entry in entries for name in (entry["name"], *entry.get("names", ()))}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is not what would be written.")
@click.option(
    "--sdk", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of databricks/sdk."
)
def main(check: bool, sdk: Path | None) -> None:
    """Regenerate the catalogue of operations and their parameters' types from the installed databricks-sdk and the
    reviewed overlay.

    \b
    Exit status: 0 done (or up to date), 1 a file differs (--check) or an operation is unclassified, 2 usage.

    \b
    Examples:
      pip install --upgrade databricks-sdk && scripts/update-catalog
      scripts/update-catalog --check
    """
    console = Console(stderr=True)
    with console.status("reading the SDK"):
        source = Source(sdk or sdk_folder())
        built = build(source)
    text, records = render(built, source.version), render_records(built)
    before = FILE.read_text(encoding="utf-8") if FILE.exists() else "{}\n"
    beside = FILE.with_name("records.jsonl")
    same = text == before and beside.exists() and records == beside.read_text(encoding="utf-8")
    report(built, before, text, source.version, same)
    if not check:
        FILE.write_text(text, encoding="utf-8")
        beside.write_text(records, encoding="utf-8")
    sys.exit(1 if built.problems or (check and not same) else 0)


def report(built: Built, before: str, text: str, version: str, same: bool) -> None:
    """Print what is new, gone and wrong. ``same``: both files are what they would be."""
    old, new = names_in(before), names_in(text)
    click.echo(f"databricks-sdk {version}: {len(built.entries)} operations under {len(new)} names")
    for title, names in (
        ("new", new - old),
        ("gone", old - new),
        ("to be settled", built.problems),
    ):
        for name in sorted(names):
            click.echo(f"  {title}: {name}")
    if same:
        click.echo("The files are up to date.")


if __name__ == "__main__":
    main()
