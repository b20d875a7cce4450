"""A SQL warehouse over Thrift (TCLIService), by the connector's own generated classes.

``SELECT 1`` and whatever else has one row answer that row; ``SELECT * FROM range(n)`` has n rows. A connector that
offers cloud fetch gets a result of more than 1,000 rows as links to storage.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import pyarrow
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAcceleratedFactory
from thrift.transport.TTransport import TMemoryBuffer

from clients.served import storage
from lab.workspace.exchange import Exchange
from lab.workspace.route import Route

LINKED_ROWS = 1_000
_OK = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
_RANGE = re.compile(r"range\((\d+)\)")


class Warehouse:
    """What TCLIService asks for. Every result is there at once, as ``directResults``."""

    def OpenSession(self, request: Any) -> Any:
        """A session."""
        handle = ttypes.TSessionHandle(_identifier(), ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7)
        return ttypes.TOpenSessionResp(
            status=_OK,
            serverProtocolVersion=ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
            sessionHandle=handle,
            canUseMultipleCatalogs=True,
            initialNamespace=request.initialNamespace,
            configuration={},
        )

    def CloseSession(self, request: Any) -> Any:
        """Its end."""
        return ttypes.TCloseSessionResp(status=_OK)

    def ExecuteStatement(self, request: Any) -> Any:
        """Run a statement: the result is there with the answer."""
        table = rows_of(request.statement)
        linked = bool(request.canDownloadResult) and table.num_rows > LINKED_ROWS
        return ttypes.TExecuteStatementResp(
            status=_OK, operationHandle=_operation(), directResults=_results(table, linked)
        )

    def _listing(self, kind: Any, names: list[str]) -> Any:
        table = pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in names})
        return kind(status=_OK, operationHandle=_operation(), directResults=_results(table, linked=False))

    def GetCatalogs(self, request: Any) -> Any:
        """No catalog."""
        return self._listing(ttypes.TGetCatalogsResp, ["TABLE_CAT"])

    def GetSchemas(self, request: Any) -> Any:
        """No schema."""
        return self._listing(ttypes.TGetSchemasResp, ["TABLE_SCHEM", "TABLE_CATALOG"])

    def GetTables(self, request: Any) -> Any:
        """No table."""
        names = ["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"]
        return self._listing(ttypes.TGetTablesResp, names)

    def GetColumns(self, request: Any) -> Any:
        """No column."""
        return self._listing(
            ttypes.TGetColumnsResp, ["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME"]
        )

    def CloseOperation(self, request: Any) -> Any:
        """The end of an operation."""
        return ttypes.TCloseOperationResp(status=_OK)

    def CancelOperation(self, request: Any) -> Any:
        """The same, early."""
        return ttypes.TCancelOperationResp(status=_OK)

    def GetInfo(self, request: Any) -> Any:
        """Facts about the server."""
        return ttypes.TGetInfoResp(status=_OK, infoValue=ttypes.TGetInfoValue(stringValue="Spark SQL"))


def rows_of(statement: str) -> pyarrow.Table:
    """The result of a statement: rows that can be counted, or one."""
    words = statement.strip().lower()
    if found := _RANGE.search(words):
        return pyarrow.table({"id": pyarrow.array(range(int(found[1])), pyarrow.int64())})
    if "select" in words and "create" not in words:
        return pyarrow.table({"answer": pyarrow.array([42], pyarrow.int32())})
    if words.startswith(("show", "describe")):
        return pyarrow.table({"name": pyarrow.array([], pyarrow.string())})
    return pyarrow.table({"result": pyarrow.array([], pyarrow.string())})


def _identifier() -> Any:
    return ttypes.THandleIdentifier(uuid.uuid4().bytes, uuid.uuid4().bytes)


def _operation() -> Any:
    return ttypes.TOperationHandle(_identifier(), ttypes.TOperationType.EXECUTE_STATEMENT, True)


_TYPES = {
    pyarrow.int64(): ttypes.TTypeId.BIGINT_TYPE,
    pyarrow.int32(): ttypes.TTypeId.INT_TYPE,
    pyarrow.string(): ttypes.TTypeId.STRING_TYPE,
}


def _results(table: pyarrow.Table, linked: bool) -> Any:
    columns = [
        ttypes.TColumnDesc(
            field.name,
            ttypes.TTypeDesc([ttypes.TTypeEntry(ttypes.TPrimitiveTypeEntry(_TYPES[field.type]))]),
            number + 1,
        )
        for number, field in enumerate(table.schema)
    ]
    kind = ttypes.TSparkRowSetType.URL_BASED_SET if linked else ttypes.TSparkRowSetType.ARROW_BASED_SET
    metadata = ttypes.TGetResultSetMetadataResp(
        status=_OK,
        schema=ttypes.TTableSchema(columns),
        resultFormat=kind,
        lz4Compressed=False,
        arrowSchema=table.schema.serialize().to_pybytes(),
        isStagingOperation=False,
    )
    rows = ttypes.TRowSet(startRowOffset=0, rows=[], resultLinks=None)
    batches = table.combine_chunks().to_batches()
    if linked:
        rows.resultLinks = _links(table)
    else:
        rows.arrowBatches = [
            ttypes.TSparkArrowBatch(batch.serialize().to_pybytes(), batch.num_rows) for batch in batches
        ]
    return ttypes.TSparkDirectResults(
        operationStatus=ttypes.TGetOperationStatusResp(
            status=_OK, operationState=ttypes.TOperationState.FINISHED_STATE
        ),
        resultSetMetadata=metadata,
        resultSet=ttypes.TFetchResultsResp(status=_OK, hasMoreRows=False, results=rows),
        closeOperation=ttypes.TCloseOperationResp(status=_OK),
    )


def _links(table: pyarrow.Table) -> list[Any]:
    """Presigned links, each to a part of the rows."""
    links = []
    for start in range(0, table.num_rows, LINKED_ROWS):
        part = table.slice(start, LINKED_ROWS)
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, part.schema) as writer:
            writer.write_table(part)
        content = sink.getvalue().to_pybytes()
        expires = int(time.time() * 1000) + 900_000
        links.append(
            ttypes.TSparkArrowResultLink(storage.keep(content), expires, start, part.num_rows, len(content))
        )
    return links


async def serve(exchange: Exchange) -> None:
    """One call of the service: a binary message in, one out."""
    incoming = TMemoryBuffer(await exchange.receive_all(16 << 20))
    outgoing = TMemoryBuffer()
    protocols = TBinaryProtocolAcceleratedFactory()
    TCLIService.Processor(Warehouse()).process(
        protocols.getProtocol(incoming), protocols.getProtocol(outgoing)
    )
    await exchange.answer(200, b"application/x-thrift", outgoing.getvalue())


ROUTES = (
    Route((b"POST",), b"/sql/1.0/warehouses/*", serve),
    Route((b"POST",), b"/sql/1.0/endpoints/*", serve),
)
