"""``brickscope audit key``: the public part of the key that signs the log."""

from pathlib import Path

import click

from brickscope.cli.command import command
from brickscope.cli.options import confdir_option
from brickscope.cli.output import Answer, answers
from brickscope.log.error import AuditError
from brickscope.log.key import VerifyKey
from brickscope.log.writer import SIGNING_KEY


@command("key")
@confdir_option("--keys", "Folder of the proxy's keys.")
@answers
def key_command(keys: Path) -> Answer:
    """Print the public key that checks the log's signatures, in PEM form, and its id on standard error.

    Give it to whoever reviews the log, over another channel than the log.

    \b
    Exit status: 0 printed, 2 there is no key (the proxy makes it at its first start).

    \b
    Examples:
      brickscope audit key > proxy-1.pem
      brickscope audit key --keys /var/lib/brickscope --json
    """
    try:
        key = VerifyKey.load(keys / SIGNING_KEY)
    except AuditError as error:
        raise click.UsageError(f"{error} (the proxy makes it at its first start)") from None
    data = {"key_id": key.key_id, "public_key": key.pem}
    return Answer(data, key.pem.splitlines(), notes=[key.key_id])
