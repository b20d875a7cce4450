"""What pipelines ask: the run of a job, a statement on a warehouse, the features of a schema."""

from __future__ import annotations

from clients.served.storage import query
from lab.workspace.exchange import Exchange
from lab.workspace.replies import json_answer
from lab.workspace.route import Route

RUN = {
    "run_id": 1,
    "job_id": 77,
    "run_name": "nightly",
    "run_page_url": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/#job/77/run/1",
    "state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS", "state_message": ""},
    "tasks": [],
}
RESULT = {
    "statement_id": "01",
    "status": {"state": "SUCCEEDED"},
    "manifest": {
        "format": "JSON_ARRAY",
        "schema": {
            "column_count": 1,
            "columns": [{"name": "answer", "position": 0, "type_name": "INT", "type_text": "INT"}],
        },
        "total_chunk_count": 1,
        "total_row_count": 1,
    },
    "result": {"chunk_index": 0, "row_offset": 0, "row_count": 1, "data_array": [["42"]]},
}


async def run(exchange: Exchange) -> None:
    """A run that has ended well."""
    await json_answer(exchange, 200, RUN | {"run_id": int(query(exchange)["run_id"])})


async def statement(exchange: Exchange) -> None:
    """A statement with its result."""
    await json_answer(exchange, 200, RESULT)


async def features(exchange: Exchange) -> None:
    """The features of a schema."""
    await json_answer(exchange, 200, {"features": []})


async def deleted(exchange: Exchange) -> None:
    """A feature spec that was there."""
    await json_answer(exchange, 200, {})


ROUTES = (
    Route((b"GET",), b"/api/2.2/jobs/runs/get", run),
    Route((b"POST",), b"/api/2.0/sql/statements", statement),
    Route((b"GET",), b"/api/2.0/feature-engineering/features", features),
    Route((b"DELETE",), b"/api/2.0/feature-store/feature-spec/main.sales.old", deleted),
)
