"""A Delta Sharing server: one table of one file, which lies in storage behind a presigned link."""

from __future__ import annotations

import json

import pyarrow
import pyarrow.parquet

from clients.served import storage
from lab.workspace.exchange import Exchange
from lab.workspace.replies import json_answer
from lab.workspace.route import Route

_PREFIX = b"/api/2.0/delta-sharing/metastores/m1"
_TABLE = pyarrow.table({"id": pyarrow.array([1, 2, 3], pyarrow.int64())})
_SCHEMA = {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": True, "metadata": {}}]}
_VERSION = (b"delta-table-version", b"1")


async def shares(exchange: Exchange) -> None:
    """The shares of the recipient."""
    await json_answer(exchange, 200, {"items": [{"name": "sales", "id": "share-1"}]})


async def tables(exchange: Exchange) -> None:
    """All tables of the share."""
    item = {"name": "orders", "schema": "eu", "share": "sales", "shareId": "share-1", "id": "table-1"}
    await json_answer(exchange, 200, {"items": [item]})


async def metadata(exchange: Exchange) -> None:
    """Protocol and schema of the table, one a line."""
    await exchange.receive_all()
    await _lines(exchange, _head())


async def query(exchange: Exchange) -> None:
    """The same, and the file."""
    await exchange.receive_all()
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(_TABLE, sink)
    content = sink.getvalue().to_pybytes()
    file = {"id": "f1", "url": storage.keep(content), "partitionValues": {}, "size": len(content)}
    await _lines(exchange, [*_head(), {"file": file}])


def _head() -> list[dict[str, object]]:
    return [
        {"protocol": {"minReaderVersion": 1}},
        {
            "metaData": {
                "id": "t1",
                "format": {"provider": "parquet"},
                "schemaString": json.dumps(_SCHEMA),
                "partitionColumns": [],
            }
        },
    ]


async def _lines(exchange: Exchange, values: list[dict[str, object]]) -> None:
    body = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    await exchange.answer(200, b"application/x-ndjson", body, [_VERSION])


ROUTES = (
    Route((b"GET",), _PREFIX + b"/shares", shares),
    Route((b"GET",), _PREFIX + b"/shares/sales/all-tables", tables),
    Route((b"GET",), _PREFIX + b"/shares/sales/schemas/eu/tables/orders/metadata", metadata),
    Route((b"POST",), _PREFIX + b"/shares/sales/schemas/eu/tables/orders/query", query),
)
