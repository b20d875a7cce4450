"""The calls of the soak: each has a number of its own in its path, and it is known beforehand how it must be decided."""

from __future__ import annotations

import itertools
import random
import secrets
from typing import NamedTuple

from brickscope.core.fingerprint import fingerprint

HOST = "dbc-soak.cloud.databricks.com"
GONE = "dbc-gone.invalid"
"""A host under policy whose name never resolves (RFC 6761 section 6.4)."""
TOKEN = "dapi" + secrets.token_hex(16)
STRANGER = "dapi" + secrets.token_hex(16)

POLICY = f"""\
version: 1
tokens:
  soak:
    fingerprint: {fingerprint(TOKEN.encode())}
    rule_set: reader
rule_sets:
  reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs/{{name}}
      - GET /api/2.0/fs/files/Volumes/main/soak/{{name}}
      - PUT /api/2.0/fs/files/Volumes/main/soak/{{name}}
      - POST /serving-endpoints/{{name}}/invocations/{{number}}
"""

CATALOGS = "/api/2.1/unity-catalog/catalogs/"
FILES = "/api/2.0/fs/files/Volumes/main/soak/"
WAREHOUSES = "/api/2.0/sql/warehouses/"


class Kind(NamedTuple):
    """A kind of call. ``reason``: of the denial, None for a call that is allowed."""

    name: str
    method: str
    prefix: str
    reason: str | None = None
    token: str = TOKEN
    host: str = HOST
    body: int = 0

    @property
    def allowed(self) -> bool:
        """Whether it must reach the workspace."""
        return self.reason is None


READ = Kind("read", "GET", CATALOGS + "c-")
UPLOAD = Kind("upload", "PUT", FILES + "u-", body=200_000)
BIG = Kind("download", "GET", FILES + "big-")
EVENTS = Kind("events", "POST", "/serving-endpoints/m/invocations/events-", body=2)
HANG = Kind("hang", "GET", CATALOGS + "hang-")
RESET = Kind("reset", "GET", CATALOGS + "reset-")
NO_NAME = Kind("no such host", "GET", CATALOGS + "n-", host=GONE)
NO_RULE = Kind("no rule", "GET", WAREHOUSES + "d-", "no_rule_matches")
NO_SUCH_CALL = Kind("no such call, with a body", "POST", WAREHOUSES + "d-", "unknown_operation", body=200_000)
UNKNOWN = Kind("unknown token", "GET", CATALOGS + "s-", "unknown_token", token=STRANGER)
DOTS = Kind("dot segments", "GET", "/api/2.1/unity-catalog/catalogs/../catalogs/", "path_not_canonical")

MIX = (READ,) * 12 + (NO_RULE,) * 4 + (UNKNOWN, DOTS, UPLOAD, NO_SUCH_CALL)
"""Kinds of calls on one connection, in their shares."""

_numbers = itertools.count(1)


class Call(NamedTuple):
    """One call."""

    kind: Kind
    number: int

    @property
    def path(self) -> str:
        """Its path, which no other call has."""
        return f"{self.kind.prefix}{self.number:08d}"

    @property
    def head(self) -> bytes:
        """Its head, as HTTP/1.1 sends it."""
        length = f"Content-Length: {self.kind.body}\r\n" if self.kind.body else ""
        return (
            f"{self.kind.method} {self.path} HTTP/1.1\r\nHost: {self.kind.host}\r\n"
            f"Authorization: Bearer {self.kind.token}\r\nUser-Agent: soak\r\n{length}\r\n"
        ).encode()


def new_call(kind: Kind | None = None) -> Call:
    """A call of a kind, or of the mix."""
    return Call(kind or random.choice(MIX), next(_numbers))  # noqa: S311 - no secret hangs on it
