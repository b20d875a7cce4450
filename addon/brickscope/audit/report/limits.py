"""What a log of the proxy cannot show, whatever stands in it. Every report says so."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """One thing that the log does not show, and where it can be found instead."""

    title: str
    text: str


LIMITS = (
    Limit(
        "Calls that did not pass the proxy",
        "A token keeps all of its power where another way leads to Databricks. Databricks' own system.access.audit "
        "has those calls; what it has and this log has not went past the proxy.",
    ),
    Limit(
        "What an allowed call did inside Databricks",
        "SQL, jobs, notebooks and models are programs. The log has the call that started them, not what they read or "
        "changed. Databricks' audit and lineage tables have that.",
    ),
    Limit(
        "Whether Databricks did what was asked",
        "An allowed call is one that the proxy let go on. Its HTTP status is in the log; an answer of 200 may still "
        "carry an error.",
    ),
    Limit(
        "What was in the calls",
        "Queries and bodies are logged only where a rule looked at them, and answers never. Headers are not logged, "
        "nor any token: a fingerprint recognises a token, but no token can be had from it.",
    ),
    Limit(
        "Who held a token",
        "A subject is a credential, not a person. The log has the address a call came from, which may be that of "
        "another proxy, a NAT gateway or a shared machine.",
    ),
    Limit(
        "What passed through tunnels to other hosts",
        "For hosts that are not under policy the log has that a connection was opened, not what went through it.",
    ),
    Limit(
        "Calls denied because the log could not be written",
        "Such a call has no record of its own. A gap record says how many there were, once the log can be written "
        "again.",
    ),
    Limit(
        "Anything against whoever had the signing key or the proxy's machine",
        "Chain and signatures show changes by others. Who can sign can write another history, from the last "
        "checkpoint that somebody else has kept a copy of.",
    ),
)
