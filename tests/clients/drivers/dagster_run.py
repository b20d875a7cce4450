"""dagster-databricks: an op runs a job that is named on the command line, and waits for its end."""

from __future__ import annotations

import os
import sys

from dagster import job
from dagster_databricks import DatabricksClientResource, create_databricks_run_now_op
from outcome import tell

run_now = create_databricks_run_now_op(databricks_job_id=int(sys.argv[1]), poll_interval_seconds=0.1)
resource = DatabricksClientResource(host=os.environ["DATABRICKS_HOST"], token=os.environ["DATABRICKS_TOKEN"])


@job(resource_defs={"databricks": resource})
def nightly() -> None:
    run_now()


tell(lambda: nightly.execute_in_process().success)
