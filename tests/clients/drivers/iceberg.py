"""pyiceberg at the Iceberg catalog of a workspace: its namespaces; or (``refused``) a new one."""

from __future__ import annotations

import os
import sys

from outcome import tell
from pyiceberg.catalog import load_catalog


def call() -> object:
    catalog = load_catalog(
        "unity",
        type="rest",
        uri=f"{os.environ['DATABRICKS_HOST']}/api/2.1/unity-catalog/iceberg-rest",
        warehouse="main",
        token=os.environ["DATABRICKS_TOKEN"],
    )
    if sys.argv[1] == "refused":
        catalog.create_namespace("new")
        return "created"
    return [".".join(name) for name in catalog.list_namespaces()]


tell(call)
