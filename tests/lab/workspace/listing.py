"""Lists that come in pages, in the two ways that Databricks' APIs have: by a token, and by the page's number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from .exchange import Exchange
from .replies import json_answer
from .route import Handler

PAGE_SIZE = 25
"""Where the call names none, or 0 (``databricks-sdk`` does so for catalogs)."""


def by_token(key: str, items: Sequence[Any], size: str) -> Handler:
    """A page under ``key``, and ``next_page_token`` while there are more. ``size``: the parameter with its length."""

    async def handler(exchange: Exchange) -> None:
        asked = _query(exchange)
        start = int(asked.get("page_token", 0))
        end = start + (int(asked.get(size, 0)) or PAGE_SIZE)
        more = {"next_page_token": str(end)} if end < len(items) else {}
        await json_answer(exchange, 200, {key: items[start:end], **more})

    return handler


def by_number(items: Sequence[Any]) -> Handler:
    """Page ``page`` from 1; one behind the last is empty, which is how a client knows that it has all."""

    async def handler(exchange: Exchange) -> None:
        asked = _query(exchange)
        page, size = int(asked.get("page", 1)), int(asked.get("page_size", 0)) or PAGE_SIZE
        found = items[(page - 1) * size : page * size]
        await json_answer(
            exchange, 200, {"count": len(items), "page": page, "page_size": size, "results": found}
        )

    return handler


def _query(exchange: Exchange) -> dict[str, str]:
    return dict(parse_qsl(exchange.query.decode("ascii")))
