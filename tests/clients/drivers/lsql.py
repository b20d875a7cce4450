"""databricks-labs-lsql: a statement on a warehouse that is named on the command line."""

from __future__ import annotations

import sys

from databricks.labs.lsql.core import StatementExecutionExt
from databricks.sdk import WorkspaceClient
from outcome import tell


def call() -> object:
    return [
        row.answer
        for row in StatementExecutionExt(WorkspaceClient(), warehouse_id=sys.argv[1]).fetch_all(
            "SELECT 42 AS answer"
        )
    ]


tell(call)
