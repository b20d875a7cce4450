"""``brickscope audit``: read the log, hold it against the policy, and prove that it is whole. One file a command."""

from __future__ import annotations

import click

from brickscope.cli.command import Group

_HEADINGS = {
    "Look": {
        "summary": "Who did what, what was refused and why, first and last seen.",
        "denials": "What was denied and what would allow it.",
        "show": "All about one call, by the id in the client's 403.",
        "search": "Calls by their fields, or a question in SQL.",
        "tail": "The log live.",
        "unused": "Subjects and rules of a policy that nobody used.",
    },
    "Prove": {
        "verify": "What the log proves, and where it was altered.",
        "key": "The public key that checks the log's signatures.",
    },
    "Hand on": {
        "report": "One HTML file for auditors.",
        "export": "Events for a SIEM: ECS or OCSF.",
        "lakehouse": "SQL for Databricks or Spark.",
    },
}


@click.group("audit", cls=Group, package=__package__, headings=_HEADINGS)
def audit_command() -> None:
    """Read the audit log.

    PATHS are files (plain, .zst, .gz), folders and patterns, of any number of proxies. Without any, it is audit.jsonl in
    the current folder with the closed files of its series. Times are UTC.

    \b
    Examples:
      brickscope audit summary /var/log/brickscope --since 7d
      brickscope audit denials --since 24h
      brickscope audit show 3f9a2b1c-42
      brickscope audit tail --decision deny
      brickscope audit verify --public-key proxy.pem
    """
