"""The compiled policy: what the files say, in the form that decisions read. Built by ``brickscope.policy``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .rule import RuleTable


class Mode(StrEnum):
    """``enforce``: a denied call is not sent. ``monitor``: what the rules deny is logged and sent all the same."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


class RuleSet(NamedTuple):
    """What its subjects may do: a call is allowed if ``allow`` matches and ``deny`` does not."""

    name: str
    allow: RuleTable
    deny: RuleTable
    mode: Mode | None = None


class Subject(NamedTuple):
    """Somebody the policy names, with the bindings beyond which the credential is worth nothing.

    ``workspaces``: lower-case host names, None for any. ``clients``: networks, None for any.
    ``expires``: seconds since the epoch (UTC) from which on the subject may do nothing, None for never.
    """

    name: str
    rule_set: RuleSet
    mode: Mode | None = None
    workspaces: frozenset[str] | None = None
    clients: tuple[IPv4Network | IPv6Network, ...] | None = None
    expires: float | None = None


class Policy(NamedTuple):
    """All files together. ``tokens`` is by fingerprint; ``revision`` is the hash of the compiled content."""

    tokens: Mapping[str, Subject]
    rule_sets: Mapping[str, RuleSet]
    mode: Mode
    revision: str
