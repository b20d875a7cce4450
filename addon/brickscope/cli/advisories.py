"""``brickscope advisories``: known flaws of what is installed and stands in a request's path."""

from __future__ import annotations

import json

import click


@click.command("advisories")
@click.option(
    "--all", "show_all", is_flag=True, help="List every advisory that is known, not only those that concern."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def advisories_command(show_all: bool, as_json: bool) -> None:
    """Hold the installed versions of mitmproxy, h2, cryptography and others against the list of known flaws.

    The list comes with this version of Brickscope and is as old as it (see "as of"); no network is used. The proxy
    does the same when it starts, and warns. For flaws that became known since, and of other packages, run a scanner
    on requirements.txt or the SBOM (scripts/sbom) as well.

    \b
    Exit status: 0 none concerns what is installed, 1 some do.

    \b
    Examples:
      brickscope advisories
      brickscope advisories --json
    """
    from brickscope.advisories.advisory import known
    from brickscope.advisories.packages import components, installed

    every = known()
    concerns = every.concerns(installed())
    if as_json:
        found = [
            {**each.advisory.model_dump(mode="json"), "installed": each.version, "remedy": each.remedy}
            for each in concerns
        ]
        listed = (
            {"advisories": [each.model_dump(mode="json") for each in every.advisories]} if show_all else {}
        )
        click.echo(json.dumps({"as_of": every.as_of, "versions": components(), "concerns": found, **listed}))
    else:
        if show_all:
            for advisory in every.advisories:
                click.echo(
                    f"{advisory.id}  {advisory.package} {' or '.join(advisory.affected)}: {advisory.summary}"
                )
        for concern in concerns:
            click.echo(str(concern))
        verdict = f"{len(concerns)} concern" if concerns else "none concerns"
        click.echo(f"{len(every.advisories)} advisories as of {every.as_of}: {verdict} what is installed")
    raise SystemExit(1 if concerns else 0)
