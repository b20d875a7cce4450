"""The Files API as newer clients use it: transfers by presigned links, and whole on the workspace host."""

from __future__ import annotations

import json

from clients.served import storage
from lab.workspace.exchange import Exchange
from lab.workspace.replies import error_answer, json_answer
from lab.workspace.route import Route
from lab.workspace.streams import BYTES_PREFIX


async def upload_session(exchange: Exchange) -> None:
    """``?action=initiate-upload`` and ``complete-upload`` of a multipart upload."""
    action = storage.query(exchange).get("action")
    body = await exchange.receive_all()
    if action == "initiate-upload":
        await json_answer(exchange, 200, {"multipart_upload": {"session_token": "session-1"}})
    elif action == "complete-upload" and json.loads(body)["parts"]:
        await json_answer(exchange, 200, {})
    else:
        await error_answer(exchange, 400, "INVALID_PARAMETER_VALUE", f"action {action}")


async def part_links(exchange: Exchange) -> None:
    """Links for the next parts."""
    wanted = json.loads(await exchange.receive_all())
    first = wanted["start_part_number"]
    links = [
        {"part_number": number, "url": storage.link(f"parts/{number}"), "headers": []}
        for number in range(first, first + wanted["count"])
    ]
    await json_answer(exchange, 200, {"upload_part_urls": links})


async def download_link(exchange: Exchange) -> None:
    """A link to a demo file."""
    size = storage.query(exchange)["path"].rpartition("/")[2]
    await json_answer(exchange, 200, {"url": storage.link(f"bytes/{size}"), "headers": []})


async def file(exchange: Exchange) -> None:
    """A demo file, or a range of it, from the workspace host itself."""
    await exchange.receive_all()
    await storage.send_pattern(exchange, int(exchange.path.rpartition(b"/")[2]))


ROUTES = (
    Route((b"POST",), b"/api/2.0/fs/files/*", upload_session),
    Route((b"POST",), b"/api/2.0/fs/create-upload-part-urls", part_links),
    Route((b"POST",), b"/api/2.0/fs/create-download-url", download_link),
    Route((b"GET", b"HEAD"), BYTES_PREFIX + b"*", file),
    *storage.ROUTES,
)
