"""Replies in the shapes that Databricks uses."""

from __future__ import annotations

import json
from typing import Any

from .exchange import Exchange


async def json_answer(
    exchange: Exchange, status: int, value: Any, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Answer with JSON, once the body of the request is read."""
    await exchange.receive_all()
    await exchange.answer(status, b"application/json", json.dumps(value).encode(), headers)


async def error_answer(exchange: Exchange, status: int, code: str, message: str) -> None:
    """Answer with an error as Databricks' application layer writes it."""
    await json_answer(exchange, status, {"error_code": code, "message": message})
