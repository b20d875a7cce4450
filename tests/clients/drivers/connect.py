"""databricks-connect: a session on a cluster, a plan whose rows stream back. ``connect.py CLUSTER ROWS``."""

from __future__ import annotations

import os
import sys

from databricks.connect import DatabricksSession
from outcome import HOST, tell


def call() -> object:
    spark = DatabricksSession.builder.remote(
        host=f"https://{HOST}", token=os.environ["DATABRICKS_TOKEN"], cluster_id=sys.argv[1]
    ).getOrCreate()
    rows = [row.id for row in spark.range(int(sys.argv[2])).collect()]
    return {"rows": len(rows), "sum": sum(rows)}


tell(call)
