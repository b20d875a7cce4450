"""``brickscope audit``: read the log, hold it against the policy, and prove that it is whole. One file a command."""

import click

from brickscope.cli.command import Group

_HEADINGS = {
    "Look": {
        "summary": "Show who did what, what was denied and why.",
        "denials": "Show what was denied, and the rule that would allow it.",
        "show": "Show everything about one call, by the id in its 403.",
        "search": "Find calls by their fields, or query the log in SQL.",
        "tail": "Follow the log.",
        "unused": "List subjects and rules of the policy that were not used.",
    },
    "Prove": {
        "verify": "Check the log's integrity.",
        "key": "Print the public key of the log's signatures.",
    },
    "Hand on": {
        "report": "Write one HTML file for auditors.",
        "export": "Write events for a SIEM, in ECS or OCSF.",
        "lakehouse": "Print SQL for Databricks or Spark.",
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
