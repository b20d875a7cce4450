"""databricks-sql-connector: a session on a warehouse over Thrift. ``sql_connector.py WAREHOUSE [STATEMENT [inside|once]]``.

``inside``: no result by links to storage. ``once``: no second try.
"""

from __future__ import annotations

import os
import sys

from databricks import sql
from outcome import HOST, tell


def call() -> object:
    statement = sys.argv[2] if len(sys.argv) > 2 else "SELECT 42 AS answer"
    with (
        sql.connect(
            server_hostname=HOST,
            http_path=f"/sql/1.0/warehouses/{sys.argv[1]}",
            access_token=os.environ["DATABRICKS_TOKEN"],
            use_cloud_fetch="inside" not in sys.argv,
            _retry_stop_after_attempts_count=1 if "once" in sys.argv else 30,
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        rows = [row[0] for row in cursor.fetchall()]
        return rows if len(rows) < 10 else {"rows": len(rows), "sum": sum(rows)}


tell(call)
