"""``scripts/sbom``: a CycloneDX bill of materials of what the proxy runs with, out of one of the whole environment.

``cyclonedx-py`` lists every package of the environment with every link of its metadata. Here what the proxy does not need
(tests, tools) goes, and so do the links: they name registries and folders of the machine, and no scanner reads them.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import click
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = "root-component"
"""The reference that cyclonedx-py gives to the project itself."""


def needed(requirements: Iterable[str]) -> set[NormalizedName]:
    """The canonical names of what ``requirements`` (PEP 508) name and all that those need, by the metadata of what is
    installed; of extras only those that somebody asks for. Raises ValueError if something is not installed."""
    found: set[NormalizedName] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.add(name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            try:
                texts = metadata.requires(name) or ()
            except metadata.PackageNotFoundError:
                raise ValueError(f"{name} is required, but not installed") from None
            waiting += [(Requirement(text), wanted) for text in texts]
    return found


def narrow(bom: dict[str, Any], requirements: Sequence[str]) -> dict[str, Any]:
    """A bill with the project and what it needs. Raises ValueError if that is not installed, or not in the bill."""
    names = needed(requirements)
    refs = {canonicalize_name(each["name"]): each["bom-ref"] for each in bom["components"]}
    if missing := sorted(names - refs.keys()):
        raise ValueError(f"{', '.join(missing)}: required, but not in the bill")
    kept = {refs[name] for name in names}
    direct = {canonicalize_name(Requirement(text).name) for text in requirements} & names
    components = [
        {key: value for key, value in each.items() if key != "externalReferences"}
        for each in bom["components"]
        if each["bom-ref"] in kept
    ]
    project = {
        key: value for key, value in bom["metadata"]["component"].items() if key != "externalReferences"
    }
    tools = {
        kind: [{key: value for key, value in tool.items() if key != "externalReferences"} for tool in every]
        for kind, every in bom["metadata"].get("tools", {}).items()
    }
    return {
        **bom,
        "metadata": {**bom["metadata"], "component": project, **({"tools": tools} if tools else {})},
        "components": components,
        "dependencies": [
            {"ref": ROOT, "dependsOn": sorted(refs[name] for name in direct)},
            *(
                {"ref": each["ref"], "dependsOn": sorted(kept & set(each.get("dependsOn", ())))}
                for each in bom["dependencies"]
                if each["ref"] in kept
            ),
        ],
    }


@click.command()
@click.argument("pyproject", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(pyproject: Path) -> None:
    """Read a bill of materials on standard input, write the narrowed one on standard output."""
    requirements = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    try:
        bom = narrow(json.load(sys.stdin), requirements)
    except ValueError as error:
        raise click.UsageError(f"{error}; run scripts/environment") from None
    click.echo(json.dumps(bom, indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
