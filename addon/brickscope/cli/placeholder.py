"""``brickscope placeholder``: make a credential that is worth something at this proxy alone, and take it out of force."""

import os
import secrets
from pathlib import Path

import click

from brickscope.core.fingerprint import PATTERN, fingerprint
from brickscope.core.placeholder import BITS, make_placeholder
from brickscope.error import OperatorError

from .command import Group
from .options import NAME, load_rules, rules_option
from .output import say

FILE = "revoked.yaml"
"""Where revocations are written, in the policy's folder."""


@click.group("placeholder", cls=Group)
def placeholder_command() -> None:
    """Make and revoke placeholders: what clients hold instead of a token. See docs/placeholders.md.

    \b
    Examples:
      brickscope placeholder new etl > etl.placeholder
      brickscope placeholder revoke etl
    """


@placeholder_command.command("new")
@click.argument("name", type=NAME)
@click.option(
    "--credential",
    type=NAME,
    metavar="NAME",
    help="The name of the real credential in the operator's file. Default: NAME.",
)
@click.option("--rule-set", type=NAME, default="RULE-SET", show_default=True, help="The rule set to write.")
def new_command(name: str, credential: str | None, rule_set: str) -> None:
    """Print a new placeholder.

    It is printed this one time only, on standard output; the lines for the policy are on standard error.

    \b
    Exit status: 0 printed, 2 the name can't be used.

    \b
    Examples:
      brickscope placeholder new etl --rule-set reader > etl.placeholder
      brickscope placeholder new etl --credential shared-token
    """
    made = make_placeholder(secrets.token_bytes(BITS // 8))
    click.echo(made)
    say("tokens:")
    say(f"  {name}:")
    say(f"    placeholder: {fingerprint(made.encode())}")
    say(f"    credential: {credential or name}")
    say(f"    rule_set: {rule_set}")


@placeholder_command.command("revoke")
@click.argument("which", metavar="NAME_OR_FINGERPRINT")
@rules_option("The policy: a folder.")
def revoke_command(which: str, rules: Path) -> None:
    """Revoke the placeholders of a subject, or one by its fingerprint.

    They are written into the file revoked.yaml of the policy.

    Every worker of a proxy with this folder refuses them within a second. The lines in tokens: can be removed later.

    \b
    Exit status: 0 done, 2 it could not be done.

    \b
    Examples:
      brickscope placeholder revoke etl
      brickscope placeholder revoke sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b
    """
    if not rules.is_dir():
        raise click.UsageError("the policy is one file: write the fingerprint under revoked: there")
    known = load_rules(rules).policy.tokens
    found = [
        mark
        for mark, subject in known.items()
        if subject.credential is not None and which in (mark, subject.name)
    ]
    if not found:
        if PATTERN.fullmatch(which):
            raise click.UsageError(
                "the policy names no placeholder with this fingerprint: it is not accepted anyway"
            )
        raise click.UsageError(f"the policy gives no subject called {which!r} a placeholder")
    _add(rules / FILE, [f"  - {mark}  # {known[mark].name}" for mark in found])
    if left := set(found) & set(load_rules(rules).policy.tokens):
        raise OperatorError(f"{rules / FILE} was written, and does not revoke {', '.join(left)}")
    say(f"revoked: {', '.join(found)}")


def _add(file: Path, lines: list[str]) -> None:
    """Write a revocation after those that are there, in one step."""
    begun = ["# Written by brickscope placeholder revoke.", "version: 1", "revoked:"]
    written = file.read_text(encoding="utf-8").splitlines() if file.exists() else begun
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text("\n".join([*written, *lines, ""]), encoding="utf-8")
    new.replace(file)
