"""A made-up extract of system.access.audit, with the columns that Databricks documents for it."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

COLUMNS = {
    "account_id": "STRING",
    "workspace_id": "STRING",
    "version": "STRING",
    "event_time": "TIMESTAMP",
    "event_date": "DATE",
    "source_ip_address": "STRING",
    "user_agent": "STRING",
    "session_id": "STRING",
    "user_identity": "STRUCT<email: STRING, subject_name: STRING>",
    "service_name": "STRING",
    "action_name": "STRING",
    "request_id": "STRING",
    "request_params": "MAP<STRING, STRING>",
    "response": "STRUCT<status_code: INT, error_message: STRING, result: STRING>",
    "audit_level": "STRING",
    "event_id": "STRING",
    "identity_metadata": "STRUCT<run_by: STRING, run_as: STRING>",
}
"""Name and type, in the order of the documents: docs.databricks.com, "Audit log system table reference"."""

WORKSPACE = "1234567890123456"
PROXY = "203.0.113.10"


def event(name: str, time: str, identity: str, action: str, **fields: Any) -> Row:
    """An event. ``time``: of the day, such as ``12:00:00``; ``action``: ``service.action``."""
    service, _, made = action.partition(".")
    row: Row = {
        "account_id": "23e22ba4-87b9-4cc2-9770-d10b894b0000",
        "workspace_id": WORKSPACE,
        "version": "2.0",
        "event_time": f"2026-11-23T{time}.000000Z",
        "event_date": "2026-11-23",
        "source_ip_address": PROXY,
        "user_agent": "databricks-sdk-py/0.162.0",
        "session_id": None,
        "user_identity": {"email": identity, "subject_name": None},
        "service_name": service,
        "action_name": made,
        "request_id": f"ServiceMain-{name}",
        "request_params": {},
        "response": {"status_code": 200, "error_message": None, "result": None},
        "audit_level": "WORKSPACE_LEVEL",
        "event_id": name,
        "identity_metadata": {"run_by": None, "run_as": None},
    }
    unknown = set(fields) - set(row)
    assert not unknown, unknown
    return row | fields
