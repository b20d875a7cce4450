"""The table of docs/compatibility.md, made from what the tests run: ``python -m clients.compatibility`` writes it anew.

``scripts/compatibility`` runs the tests first. Packages are held at one version (requirements.txt, dbt.txt,
package.json and the others), which the table names; programs of the system have the version of the machine that wrote the
table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

from clients.installed import PROGRAMS, pinned, program_version
from clients.recorded_client import recorded_clients
from clients.roster import CLIENTS, DBT_SETTINGS
from e2e.proxy_process import REPOSITORY

PAGE = REPOSITORY / "docs" / "compatibility.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
HEAD = """\
| client | version | speaks | has to be told | rule set | where its user finds the refusal |
|---|---|---|---|---|---|
"""
_ROW = re.compile(r"^\| ([^|]+) \| `([^|`]+)` ([^|]+) \|", re.M)


def render(program: Callable[[str], str | None]) -> str:
    """The table. ``program``: gives the version of a program of the system."""
    versions = pinned()
    dbt = f"{versions['dbt-databricks']} (dbt-core {versions['dbt-core']})"
    told = ", ".join(f"`{name}`" for name in DBT_SETTINGS)
    lines = [HEAD]
    for client in CLIENTS:
        package = client.package.removeprefix("program:")
        version = program(package) if package in PROGRAMS else versions[package]
        settings = client.told or ", ".join(f"`{name}`" for name in client.settings)
        lines.append(
            _line(client.name, package, version, client.protocol, settings, client.rule_set, client.shown)
        )
        if client.name == "databricks-sql-connector":
            lines.append(
                _line(
                    "dbt: debug, run",
                    "dbt-databricks",
                    dbt,
                    client.protocol,
                    told,
                    "dbt",
                    "dbt's error message",
                )
            )
    for each in recorded_clients():
        lines.append(
            _line(
                f"{each.client} (recording)",
                each.repository,
                each.commit[:12],
                each.protocol,
                each.told,
                each.rule_set,
                each.shown,
            )
        )
    return "".join(lines)


def _line(
    name: str, package: str, version: str | None, protocol: str, told: str, rule_set: str, shown: str
) -> str:
    link = f"[{rule_set}](clients/{rule_set}.yaml)"
    return f"| {name} | `{package}` {version} | {protocol} | {told} | {link} | {shown} |\n"


def written() -> tuple[str, str, str]:
    """The page as it is: what is before the table, the table, and what is after it."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table, _, after = rest.partition(END)
    return before, table, after


def written_version(program: str) -> str | None:
    """The version of a program of the system that the table names."""
    return next(_versions(written()[1], program), None)


def _versions(table: str, package: str) -> Iterator[str]:
    for _, found, version in _ROW.findall(table):
        if found == package:
            yield version


def main() -> None:
    """Write the table."""
    missing = [name for name in PROGRAMS if program_version(name) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; the table would lack their versions")
    before, _, after = written()
    PAGE.write_text(before + BEGIN + render(program_version) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
