"""``brickscope fingerprint``: what names a token in a policy. The token comes by standard input or a hidden prompt."""

import sys

import click

from brickscope.core.credential import MAX_TOKEN, read_token
from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.jwt_token import LIVES_AN_HOUR, is_oauth

from .command import command
from .options import NAME


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


def read_token_input() -> bytes:
    """The bytes of one token. Raises click.UsageError, which quotes nothing of it."""
    if sys.stdin is None:
        raise click.UsageError("standard input is closed; give the token there")
    if sys.stdin.isatty():
        raw = click.prompt("Token", hide_input=True, err=True).encode(errors="surrogateescape")
    else:
        raw = sys.stdin.buffer.read(MAX_TOKEN + 3)
    token = raw.removesuffix(b"\r\n") if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
    if token[:7].lower() in (b"bearer ", b"basic d"):
        raise click.UsageError("give the token alone, without 'Bearer' or 'Basic'")
    try:
        return read_token(b"Bearer " + token)
    except Refused:
        raise click.UsageError(
            "that is not a token: it is empty, or has white space or invalid characters"
        ) from None
