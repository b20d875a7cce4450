"""``brickscope schema``: the JSON Schema of a policy file."""

from pathlib import Path

import click

from .command import command
from .options import FILE


@command("schema")
@click.option(
    "--check",
    "file",
    type=FILE,
    help="Compare with this file; exit 1 if it differs.",
)
@click.option("--tests", is_flag=True, help="Print the schema of policy tests (*.test.yaml) instead.")
def schema_command(file: Path | None, tests: bool) -> None:
    """Print the JSON Schema of policy files, for completion and checks in editors.

    \b
    Exit status: 0 printed, 1 --check found a difference.

    \b
    Examples:
      brickscope schema > rules/brickscope.schema.json
      brickscope schema --check rules/brickscope.schema.json
      brickscope schema --tests > rules/brickscope.test.schema.json
    """
    # Here, since the models cost the other commands 0.1 s.
    if tests:
        from brickscope.analysis.policytest.model import render
    else:
        from brickscope.policy.schema import render

    if file is None:
        click.echo(render(), nl=False)
    elif file.read_bytes() != render().encode():
        raise click.ClickException(
            f"{file} is not the schema of this version; write it again with 'brickscope schema'"
        )
