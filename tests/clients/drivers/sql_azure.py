"""databricks-sql-connector as an application of Entra ID (``azure-sp-m2m``). ``sql_azure.py WAREHOUSE``."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from databricks import sql
from outcome import tell


def call() -> object:
    with (
        sql.connect(
            server_hostname=urlsplit(os.environ["DATABRICKS_HOST"]).hostname,
            http_path=f"/sql/1.0/warehouses/{sys.argv[1]}",
            auth_type="azure-sp-m2m",
            azure_client_id=os.environ["ARM_CLIENT_ID"],
            azure_client_secret=os.environ["ARM_CLIENT_SECRET"],
            azure_tenant_id=os.environ.get("ARM_TENANT_ID"),
            azure_workspace_resource_id=os.environ["DATABRICKS_AZURE_RESOURCE_ID"],
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT 42 AS answer")
        return [row[0] for row in cursor.fetchall()]


tell(call)
