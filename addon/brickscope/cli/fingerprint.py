"""``brickscope fingerprint``: what names a token in a policy. The token comes by standard input or a hidden prompt."""

from __future__ import annotations

import sys

import click

from brickscope.core.credential import MAX_TOKEN, read_token
from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint


@click.command("fingerprint")
@click.option(
    "--yaml", "name", metavar="NAME", help="Print lines for a policy, with this name for the token."
)
@click.option("--rule-set", default="RULE-SET", show_default=True, help="The rule set to write with --yaml.")
def fingerprint_command(name: str | None, rule_set: str) -> None:
    """Print the fingerprint of a token.

    The token is read from standard input, or asked for without showing it; never from arguments, which every user of
    a machine can read.

    \b
    Examples:
      brickscope fingerprint
      printf %s "$DATABRICKS_TOKEN" | brickscope fingerprint
      brickscope fingerprint --yaml nightly-export --rule-set catalog-reader < token.txt
    """
    if sys.stdin.isatty():
        raw = click.prompt("Token", hide_input=True, err=True).encode()
    else:
        raw = sys.stdin.buffer.read(MAX_TOKEN + 3)
    token = raw.removesuffix(b"\n").removesuffix(b"\r")
    if token[:7].lower() in (b"bearer ", b"basic d"):
        raise click.UsageError("give the token alone, without 'Bearer' or 'Basic'")
    try:
        found = fingerprint(read_token(b"Bearer " + token))
    except Refused:
        raise click.UsageError(
            "that is no token: it is empty, or holds white space or odd characters"
        ) from None
    if name is None:
        click.echo(found)
    else:
        click.echo(f"  {name}:\n    fingerprint: {found}\n    rule_set: {rule_set}")
