"""``brickscope audit key``: the public part of the key that signs the log."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

# By os.path: a user that is only a number has no home, and pathlib would raise before any command could run.
KEYS = Path(os.path.expanduser("~/.mitmproxy"))  # noqa: PTH111
"""Where the proxy keeps its keys, unless ``scope_audit_keys`` or ``confdir`` says otherwise."""


@click.command("key")
@click.option(
    "--keys",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=KEYS,
    show_default=True,
    help="Folder of the proxy's keys.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def key_command(keys: Path, as_json: bool) -> None:
    """Print the public key that checks the log's signatures, in PEM form, and its id on standard error.

    Give it to whoever reviews the log, by another way than the log takes.

    \b
    Exit status: 0 printed, 2 there is no key (the proxy makes it at its first start).

    \b
    Examples:
      brickscope audit key > proxy-1.pem
      brickscope audit key --keys /var/lib/brickscope --json
    """
    from brickscope.log.error import AuditError
    from brickscope.log.key import VerifyKey
    from brickscope.log.writer import SIGNING_KEY

    path = keys / SIGNING_KEY
    try:
        key = VerifyKey.load(path)
    except AuditError as error:
        raise click.UsageError(f"{error} (the proxy makes it at its first start)") from None
    if as_json:
        click.echo(json.dumps({"key_id": key.key_id, "public_key": key.pem}))
        return
    click.echo(key.pem, nl=False)
    click.echo(key.key_id, err=True)
