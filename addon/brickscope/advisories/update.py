"""``scripts/update-advisories``: make ``known.yaml`` anew from checkouts of advisory databases."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import click
import yaml

from .advisory import KNOWN, Advisory, AdvisoryList
from .osv import advisories, read_records
from .packages import PACKAGES

HEAD = """\
# Known flaws of what stands in a request's path. Made by scripts/update-advisories; do not edit.
"""


@click.command()
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--check", is_flag=True, help="Change nothing; exit with status 1 if the list would change.")
def main(folders: tuple[Path, ...], check: bool) -> None:
    """Make the list of advisories anew from FOLDERS: checkouts of github.com/pypa/advisory-database (the folder vulns) or
    github.com/github/advisory-database (the folder advisories/github-reviewed). Reads no network.

    Advisories of the present list that the folders do not know stay: a database may be older, or hold only some.

    \b
    Exit status: 0 written or unchanged, 1 with --check: it would change.

    \b
    Examples:
      git clone --depth 1 https://github.com/pypa/advisory-database /tmp/pypa
      scripts/update-advisories /tmp/pypa/vulns
    """
    read: list[dict[str, object]] = []
    for folder in folders:
        wanted = [folder / name for name in PACKAGES if (folder / name).is_dir()] or [folder]
        read += [dict(record) for part in wanted for record in read_records(part)]
    found = advisories(read, PACKAGES)
    before = AdvisoryList.model_validate(yaml.safe_load(KNOWN.read_text())) if KNOWN.exists() else None
    kept = [] if before is None else [each for each in before.advisories if not _among(each, found, read)]
    dates = [str(record["modified"])[:10] for record in read if "modified" in record]
    text = render([*found, *kept], max([*dates, "" if before is None else before.as_of]))
    changed = not KNOWN.exists() or KNOWN.read_text(encoding="utf-8") != text
    click.echo(
        f"{len(found)} advisories read, {len(kept)} kept; the list {'changes' if changed else 'is the same'}"
    )
    if check:
        sys.exit(changed)
    KNOWN.write_text(text, encoding="utf-8")


def _among(advisory: Advisory, found: Iterable[Advisory], read: Collection[dict[str, object]]) -> bool:
    """Whether the folders know it, be it as withdrawn."""
    names = {advisory.id, *advisory.aliases}
    return any(names & {each.id, *each.aliases} for each in found) or any(
        record["id"] in names for record in read if record.get("withdrawn")
    )


def render(every: Iterable[Advisory], as_of: str) -> str:
    """The text of the file."""
    ordered = sorted(every, key=lambda each: (each.package, each.published, each.id))
    content = AdvisoryList(as_of=as_of, advisories=tuple(ordered)).model_dump(mode="json")
    return HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    main()
