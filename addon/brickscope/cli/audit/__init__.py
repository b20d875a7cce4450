"""``brickscope audit``: read the log, hold it against the policy, and prove that it is whole. One file a command."""

from __future__ import annotations

import click

from .denials import denials_command
from .export import export_command
from .key import key_command
from .lakehouse import lakehouse_command
from .report import report_command
from .search import search_command
from .show import show_command
from .summary import summary_command
from .tail import tail_command
from .unused import unused_command
from .verify import verify_command


@click.group("audit")
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


audit_command.add_command(denials_command)
audit_command.add_command(export_command)
audit_command.add_command(key_command)
audit_command.add_command(lakehouse_command)
audit_command.add_command(report_command)
audit_command.add_command(search_command)
audit_command.add_command(show_command)
audit_command.add_command(summary_command)
audit_command.add_command(tail_command)
audit_command.add_command(unused_command)
audit_command.add_command(verify_command)
