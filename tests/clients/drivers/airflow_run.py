"""apache-airflow-providers-databricks: its operator runs a job that is named on the command line, and waits for its end."""

from __future__ import annotations

import os
import sys

os.environ["AIRFLOW_HOME"] = os.environ["HOME"]
os.environ["AIRFLOW_CONN_DATABRICKS_DEFAULT"] = (
    f"databricks://:{os.environ['DATABRICKS_TOKEN']}@{os.environ['DATABRICKS_HOST'].removeprefix('https://')}"
)
from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from outcome import tell


def call() -> object:
    operator = DatabricksRunNowOperator(
        task_id="nightly", job_id=int(sys.argv[1]), polling_period_seconds=1, do_xcom_push=False
    )
    operator.execute({})
    return operator.run_id


tell(call)
