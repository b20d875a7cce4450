"""What Databricks Connect and dbt ask of the cluster they use."""

from __future__ import annotations

from clients.served.storage import query
from lab.workspace.exchange import Exchange
from lab.workspace.replies import json_answer
from lab.workspace.route import Route


async def get(exchange: Exchange) -> None:
    """A cluster that runs, of a runtime that suits every client."""
    cluster = {
        "cluster_id": query(exchange)["cluster_id"],
        "state": "RUNNING",
        "spark_version": "99.9.x-scala2.13",
    }
    await json_answer(exchange, 200, cluster)


ROUTES = tuple(Route((b"GET",), b"/api/2.%d/clusters/get" % minor, get) for minor in (0, 1))
