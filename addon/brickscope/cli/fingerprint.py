"""``brickscope fingerprint``: what names a token in a policy. The token comes by standard input or a hidden prompt."""

import click

from brickscope.core.fingerprint import fingerprint
from brickscope.core.jwt_token import LIVES_AN_HOUR, is_oauth

from .command import command
from .options import NAME
from .token_input import read_token_input


@command("fingerprint")
@click.option(
    "--yaml",
    "name",
    type=NAME,
    metavar="NAME",
    help="Print lines for a policy, with this name for the token.",
)
@click.option(
    "--rule-set", type=NAME, default="RULE-SET", show_default=True, help="The rule set to write with --yaml."
)
def fingerprint_command(name: str | None, rule_set: str) -> None:
    """Print the fingerprint of a token.

    The token is read from standard input, or prompted for without echo; never from arguments, which every user of
    a machine can read.

    \b
    Exit status: 0 printed, 2 it is not a token.

    \b
    Examples:
      brickscope fingerprint
      printf %s "$DATABRICKS_TOKEN" | brickscope fingerprint
      brickscope fingerprint --yaml nightly-export --rule-set catalog-reader < token.txt
    """
    token = read_token_input()
    if is_oauth(token):
        warning = f"{LIVES_AN_HOUR}; 'brickscope whoami' says whom"
        if name is not None:
            raise click.UsageError(warning)
        click.echo(warning, err=True)
    found = fingerprint(token)
    if name is None:
        click.echo(found)
    else:
        click.echo(f"  {name}:\n    fingerprint: {found}\n    rule_set: {rule_set}")
