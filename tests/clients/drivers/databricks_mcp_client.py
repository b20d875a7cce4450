"""databricks-mcp at a tool server: the list of tools and an allowed one; or (``refused``) another tool."""

from __future__ import annotations

import os
import sys

from databricks.sdk import WorkspaceClient
from databricks_mcp import DatabricksMCPClient
from outcome import tell


def call() -> object:
    try:
        return ask()
    except ExceptionGroup as group:  # what its user sees last in the traceback is the error within
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def ask() -> object:
    url = f"{os.environ['DATABRICKS_HOST']}/api/2.0/mcp/functions/main/tools"
    client = DatabricksMCPClient(url, WorkspaceClient())
    if sys.argv[1] == "refused":
        return client.call_tool("drop", {}).content[0].text
    tools = [tool.name for tool in client.list_tools()]
    return {"tools": tools, "found": client.call_tool("find", {}).content[0].text}


tell(call)
