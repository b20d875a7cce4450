"""MLflow tracking in a workspace: one experiment, runs that take metrics and artifacts."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from clients.served import storage
from lab.workspace.exchange import Exchange
from lab.workspace.replies import error_answer, json_answer
from lab.workspace.route import Route

_EXPERIMENT = {
    "experiment_id": "7",
    "name": "/Shared/demo",
    "artifact_location": "dbfs:/databricks/mlflow-tracking/7",
    "lifecycle_stage": "active",
}
_runs: dict[str, dict[str, Any]] = {}


async def experiment(exchange: Exchange) -> None:
    """The experiment, by name or id."""
    await json_answer(exchange, 200, {"experiment": _EXPERIMENT})


async def create_run(exchange: Exchange) -> None:
    """A new run."""
    wanted = json.loads(await exchange.receive_all())
    run_id = uuid.uuid4().hex
    _runs[run_id] = {
        "info": {
            "run_id": run_id,
            "run_uuid": run_id,
            "run_name": wanted.get("run_name") or "demo",
            "experiment_id": "7",
            "user_id": "demo@example.com",
            "status": "RUNNING",
            "start_time": int(time.time() * 1000),
            "artifact_uri": f"dbfs:/databricks/mlflow-tracking/7/{run_id}/artifacts",
            "lifecycle_stage": "active",
        },
        "data": {"metrics": [], "params": [], "tags": wanted.get("tags", [])},
    }
    await json_answer(exchange, 200, {"run": _runs[run_id]})


async def get_run(exchange: Exchange) -> None:
    """A run with what was logged to it."""
    await json_answer(exchange, 200, {"run": _runs[storage.query(exchange)["run_id"]]})


async def log_metric(exchange: Exchange) -> None:
    """One value of one metric."""
    wanted = json.loads(await exchange.receive_all())
    metric = {name: wanted.get(name, 0) for name in ("key", "value", "timestamp", "step")}
    _runs[wanted["run_id"]]["data"]["metrics"].append(metric)
    await json_answer(exchange, 200, {})


async def update_run(exchange: Exchange) -> None:
    """The end of a run."""
    wanted = json.loads(await exchange.receive_all())
    info = _runs[wanted["run_id"]]["info"]
    info |= {name: wanted[name] for name in ("status", "end_time") if name in wanted}
    await json_answer(exchange, 200, {"run_info": info})


async def artifact_link(exchange: Exchange) -> None:
    """A presigned link to write an artifact to."""
    wanted = json.loads(await exchange.receive_all())
    path = wanted["path"][0] if isinstance(wanted["path"], list) else wanted["path"]
    if wanted["run_id"] not in _runs:
        await error_answer(exchange, 404, "RESOURCE_DOES_NOT_EXIST", "no such run")
        return
    info = {
        "run_id": wanted["run_id"],
        "path": path,
        "signed_uri": storage.link(f"parts/{path}"),
        "headers": [],
        "type": "AWS_PRESIGNED_URL",
    }
    await json_answer(exchange, 200, {"credential_infos": [info]})


_API = b"/api/2.0/mlflow/"
ROUTES = (
    Route((b"GET",), _API + b"experiments/get-by-name", experiment),
    Route((b"GET",), _API + b"experiments/get", experiment),
    Route((b"POST",), _API + b"runs/create", create_run),
    Route((b"GET",), _API + b"runs/get", get_run),
    Route((b"POST",), _API + b"runs/log-metric", log_metric),
    Route((b"POST",), _API + b"runs/update", update_run),
    Route((b"POST",), _API + b"artifacts/credentials-for-write", artifact_link),
)
