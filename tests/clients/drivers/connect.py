"""databricks-connect: a session on a cluster, a plan whose rows stream back. ``connect.py CLUSTER ROWS [unchecked]``.

``unchecked``: without the check of the cluster's version, which comes first by REST, so that gRPC is refused.
"""

from __future__ import annotations

import os
import sys

from databricks.connect import DatabricksSession
from outcome import HOST, tell


def call() -> object:
    builder = DatabricksSession.builder.remote(
        host=f"https://{HOST}", token=os.environ["DATABRICKS_TOKEN"], cluster_id=sys.argv[1]
    )
    spark = builder.validateSession("unchecked" not in sys.argv).getOrCreate()
    rows = [row.id for row in spark.range(int(sys.argv[2])).collect()]
    spark.stop()
    return {"rows": len(rows), "sum": sum(rows)}


tell(call)
