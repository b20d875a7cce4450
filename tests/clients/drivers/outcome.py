"""What a driver tells its test: one line of JSON, with what arrived or with what its user would see."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def tell(call: Callable[[], object]) -> None:
    """Make the call and print its outcome."""
    try:
        outcome = {"value": call()}
    except Exception as error:
        outcome = {"error": str(error), "kind": type(error).__name__}
        if "http-code" in (context := getattr(error, "context", None) or {}):
            outcome["status"] = context["http-code"]  # databricks-sql-connector says it there alone (exc.py)
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")
    sys.stdout.flush()
