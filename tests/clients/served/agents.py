"""What agents call: a tool server (MCP, Streamable HTTP), models, an Iceberg catalog, a search index."""

from __future__ import annotations

import json
import uuid
from typing import Any

from lab.workspace.exchange import Exchange
from lab.workspace.replies import error_answer, json_answer
from lab.workspace.route import Route

_TOOLS = [
    {"name": name, "description": f"{name}s orders", "inputSchema": {"type": "object", "properties": {}}}
    for name in ("find", "drop")
]


async def tool_server(exchange: Exchange) -> None:
    """One message of a session. The answer of a tool comes as a stream of events, all else as JSON."""
    message = json.loads(await exchange.receive_all())
    method, number = message.get("method"), message.get("id")
    if number is None:
        await exchange.answer(202, b"application/json", b"")
        return
    session: tuple[tuple[bytes, bytes], ...] = ()
    if method == "initialize":
        session = ((b"mcp-session-id", uuid.uuid4().hex.encode()),)
        result: dict[str, Any] = {
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "orders", "version": "1"},
        }
    elif method == "tools/list":
        result = {"tools": _TOOLS}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": "order 7"}], "isError": False}
    else:
        result = {}
    answer = json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()
    if method == "tools/call":
        await exchange.answer(200, b"text/event-stream", b"event: message\ndata: " + answer + b"\n\n")
    else:
        await exchange.answer(200, b"application/json", answer, session)


async def no_stream(exchange: Exchange) -> None:
    """The server has nothing to say by itself."""
    await error_answer(exchange, 405, "METHOD_NOT_ALLOWED", "no stream here")


async def end_session(exchange: Exchange) -> None:
    """The end of a session."""
    await exchange.answer(200, b"application/json", b"")


async def chat(exchange: Exchange) -> None:
    """An answer of a model, in OpenAI's format."""
    wanted = json.loads(await exchange.receive_all())
    message = {"role": "assistant", "content": f"hello from {wanted['model']}"}
    await json_answer(
        exchange,
        200,
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": wanted["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        },
    )


async def responses(exchange: Exchange) -> None:
    """An answer of a model, in the format of OpenAI's responses."""
    wanted = json.loads(await exchange.receive_all())
    text = {"type": "output_text", "text": f"hello from {wanted['model']}", "annotations": []}
    await json_answer(
        exchange,
        200,
        {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": wanted["model"],
            "output": [
                {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [text]}
            ],
            "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        },
    )


async def catalog_config(exchange: Exchange) -> None:
    """What an Iceberg client asks first."""
    await json_answer(exchange, 200, {"defaults": {}, "overrides": {"prefix": "catalogs/main"}})


async def namespaces(exchange: Exchange) -> None:
    """The schemas of a catalog."""
    await json_answer(exchange, 200, {"namespaces": [["sales"], ["hr"]]})


async def index(exchange: Exchange) -> None:
    """A search index."""
    await json_answer(
        exchange,
        200,
        {
            "name": "main.docs.pages",
            "endpoint_name": "search",
            "primary_key": "id",
            "index_type": "DELTA_SYNC",
            "delta_sync_index_spec": {"source_table": "main.docs.source"},
            "status": {"ready": True, "index_url": ""},
        },
    )


async def search(exchange: Exchange) -> None:
    """What a search finds."""
    await json_answer(
        exchange,
        200,
        {
            "manifest": {"column_count": 2, "columns": [{"name": "id"}, {"name": "score"}]},
            "result": {"row_count": 1, "data_array": [["p1", 0.5]]},
        },
    )


_SERVER = b"/api/2.0/mcp/functions/main/tools"
_ICEBERG = b"/api/2.1/unity-catalog/iceberg-rest/v1/"
ROUTES = (
    Route((b"POST",), _SERVER, tool_server),
    Route((b"GET",), _SERVER, no_stream),
    Route((b"DELETE",), _SERVER, end_session),
    Route((b"POST",), b"/serving-endpoints/chat/completions", chat),
    Route((b"POST",), b"/serving-endpoints/responses", responses),
    Route((b"GET",), _ICEBERG + b"config", catalog_config),
    Route((b"GET",), _ICEBERG + b"catalogs/main/namespaces", namespaces),
    Route((b"GET",), b"/api/2.0/vector-search/indexes/main.docs.pages", index),
    Route((b"GET",), b"/api/2.0/vector-search/indexes/main.docs.pages/query", search),
)
