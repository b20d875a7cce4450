"""The catalogue names every call that the installed Databricks Connect can make."""

from __future__ import annotations

import re
import subprocess

import pytest

from brickscope.catalog.catalog import load_catalog
from clients.installed import PYTHON, need_clients
from e2e.proxy_process import plain_environment

SCRIPT = """
import pyspark.sql.connect.proto as messages
for name in messages.base_pb2.DESCRIPTOR.services_by_name["SparkConnectService"].methods_by_name:
    print(name)
"""


@pytest.mark.timeout(120)
def test_every_call_of_spark_connect_is_an_operation() -> None:
    need_clients()
    done = subprocess.run(
        [str(PYTHON), "-c", SCRIPT],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    methods = {re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower() for name in done.stdout.split()}
    assert len(methods) > 10
    known = {
        name.removeprefix("spark_connect.") for name in load_catalog().operations if "spark_connect." in name
    }
    assert methods == known
