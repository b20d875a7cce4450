"""A token from standard input or a hidden prompt; never from arguments, which every user of a machine can read."""

import sys

import click

from brickscope.core.credential import MAX_TOKEN, read_token
from brickscope.core.decision import Refused


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
