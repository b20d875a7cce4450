"""The official client of MCP at a tool server: the list of tools and an allowed one; or (``refused``) another tool."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.shared.exceptions import McpError
from outcome import tell

URL = f"{os.environ['DATABRICKS_HOST']}/api/2.0/mcp/functions/main/tools"


async def ask() -> object:
    headers = {"Authorization": f"Bearer {os.environ['DATABRICKS_TOKEN']}"}
    refused: McpError | None = None
    async with (
        streamablehttp_client(URL, headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        if sys.argv[1] == "refused":
            try:
                await session.call_tool("drop", {})
            except McpError as error:
                refused = error
            # The session goes on: an agent asks for something else.
            await session.call_tool("find", {})
        tools = await session.list_tools()
        found = await session.call_tool("find", {})
    if refused is not None:
        raise refused
    return {"tools": [tool.name for tool in tools.tools], "found": found.content[0].text}


tell(lambda: asyncio.run(ask()))
