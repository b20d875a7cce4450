"""databricks-sdk, with a token (``pat``) or as a service principal (``oauth``): lists catalogs, or asks for warehouses."""

from __future__ import annotations

import sys

from databricks.sdk import WorkspaceClient
from outcome import tell


def call() -> object:
    # DATABRICKS_HOST and DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, are in the environment.
    client = WorkspaceClient()
    if sys.argv[1] == "refused":
        return [warehouse.name for warehouse in client.warehouses.list()]
    return [catalog.name for catalog in client.catalogs.list()]


tell(call)
