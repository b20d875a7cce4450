"""Clients that cannot be installed here: their calls as their public sources have them, from ``tests/clients/recorded``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from clients.installed import WANTED

RULE_SETS = {"odbc": "sql-connector"}
"""The rule set of a client, where it has none of its own name."""


class RecordedCall(NamedTuple):
    """``source``: the file of the client's repository that has it. ``reason``: why it is refused, None if it is allowed."""

    source: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    anonymous: bool
    reason: str | None

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Its headers on the wire, less Host and Authorization."""
        length = {"Content-Length": str(len(self.body))} if self.body else {}
        return [(name.encode(), value.encode()) for name, value in {**self.headers, **length}.items()]


class RecordedClient(NamedTuple):
    """One file. ``told``, ``shown``: for the table. ``transient``: expressions; what holds one is tried again."""

    name: str
    client: str
    repository: str
    commit: str
    protocol: str
    told: str
    shown: str
    retries_on_403: str
    transient: Sequence[str]
    calls: tuple[RecordedCall, ...]

    @property
    def rule_set(self) -> str:
        """Of docs/clients."""
        return RULE_SETS.get(self.name, self.name)


def recorded_clients() -> Iterator[RecordedClient]:
    """All files, by name."""
    for file in sorted((WANTED / "recorded").glob("*.yaml")):
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        general = written.pop("headers")
        calls = tuple(_call(each, general) for each in (*written.pop("calls"), *written.pop("refused")))
        yield RecordedClient(file.stem, **written, calls=calls)


def _call(written: Mapping[str, Any], general: Mapping[str, str]) -> RecordedCall:
    method, _, target = written["call"].partition(" ")
    if written.get("anonymous"):
        general = {"User-Agent": general["User-Agent"]}  # as it is recorded
    content = {"Content-Type": "application/json"} if "body" in written else {}
    text = json.dumps(written["body"]) if "body" in written else written.get("text", "")
    return RecordedCall(
        written["source"],
        method,
        target,
        {**general, **content, **written.get("headers", {})},
        text.encode(),
        written.get("anonymous", False),
        written.get("reason"),
    )
