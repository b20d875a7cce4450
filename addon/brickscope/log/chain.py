"""The chain: how each record carries the hash of the one before, so that no line can be changed, taken or put in unseen.

A line is the record as canonical JSON (RFC 8785: keys sorted, no spaces, UTF-8; numbers are integers or short decimals),
with one member more at its end: ``hash``, the SHA-256 of the line without it. So ``hash`` covers ``prev_hash`` and with it
all lines before, and anybody can check a line: ``jq -cjS 'del(.hash)' | sha256sum``.

The hash is taken over bytes and not over what they mean: a space or another spelling of the same text is a change too.
"""

from hashlib import sha256
from typing import Any, NamedTuple

import orjson

SCHEMA = 1
"""Version of the records, in every one of them (``event.yaml`` has what it stands for)."""

GENESIS = "0" * 64
"""``prev_hash`` of the first record of a log."""

_dumps, _SORTED = orjson.dumps, orjson.OPT_SORT_KEYS
_MEMBER = b',"hash":"'
_TAIL = len(_MEMBER) + 64 + 2


class Link(NamedTuple):
    """The end of a chain: the record that the next one goes on from."""

    instance: str
    seq: int
    hash: str


def canonical(record: dict[str, Any]) -> bytes:
    """A record's canonical bytes. Raises TypeError (orjson.JSONEncodeError) for what is no JSON."""
    return _dumps(record, option=_SORTED)


def seal(record: dict[str, Any]) -> tuple[bytes, str]:
    """The line of a record that has its ``prev_hash``, and its hash. Raises TypeError for what is no JSON."""
    body = _dumps(record, option=_SORTED)
    digest = sha256(body).hexdigest()
    return b"".join((body[:-1], _MEMBER, digest.encode(), b'"}\n')), digest


def read_hash(line: bytes) -> str | None:
    """The hash that a line (without its line end) claims; None if it has none where it belongs."""
    if line[-2:] != b'"}' or line[-_TAIL : -_TAIL + len(_MEMBER)] != _MEMBER:
        return None
    return line[-66:-2].decode("latin-1")


def true_hash(line: bytes) -> str:
    """The hash that a line (without its line end) should have, whatever it claims."""
    return sha256(line[:-_TAIL] + b"}").hexdigest()


def read_link(line: bytes) -> Link | None:
    """What a whole line (without its line end) is to the next one; None if it is torn or was changed."""
    digest = read_hash(line)
    if digest is None or digest != true_hash(line):
        return None
    try:
        record = orjson.loads(line)
        return Link(str(record["instance"]), int(record["seq"]), digest)
    except (ValueError, KeyError, TypeError):
        return None


def read_record(line: bytes) -> dict[str, Any] | None:
    """The record of a line whose hash holds; None if it is not written as the proxy writes records."""
    try:
        record = orjson.loads(line)
        content = {name: value for name, value in record.items() if name != "hash"}
        written = canonical(content) == line[:-75] + b"}"
        seq, names = record["seq"], (record["instance"], record["prev_hash"], record["event"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    whole = (
        isinstance(seq, int) and not isinstance(seq, bool) and all(isinstance(each, str) for each in names)
    )
    return record if written and whole else None
