"""Spark Connect: the calls that a session of Databricks Connect makes, by its own generated messages.

A plan ``spark.range(n)`` is answered with its rows, a batch of Arrow at a time, each sent when it is made; a statement of
SQL with one row, the word ``main``, as the name of the catalog or schema that is asked for.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow
import pyspark.sql.connect.proto as messages
from pyspark.sql.types import LongType, StructType

from lab.workspace.exchange import Exchange
from lab.workspace.route import Route

BATCH_ROWS = 1_000
PAUSE_S = 0.02
_SERVER = str(uuid.uuid4())


async def execute(exchange: Exchange) -> None:
    """Run a plan: a stream of batches, then its end."""
    request = messages.ExecutePlanRequest.FromString(await _message(exchange))
    await exchange.respond(200, [(b"content-type", b"application/grpc")])
    for response in _batches(request):
        response.session_id = request.session_id
        response.server_side_session_id = _SERVER
        response.operation_id = request.operation_id
        response.response_id = str(uuid.uuid4())
        await exchange.send(_frame(response))
        await asyncio.sleep(PAUSE_S)
    await exchange.finish([(b"grpc-status", b"0")])


def _batches(request: Any) -> Iterator[Any]:
    if request.plan.HasField("command"):
        response = messages.ExecutePlanResponse()
        response.sql_command_result.relation.CopyFrom(request.plan.command.sql_command.input)
        yield response
    else:
        relation = request.plan.root
        while relation.WhichOneof("rel_type") not in ("range", "sql"):
            relation = getattr(relation, relation.WhichOneof("rel_type")).input
        if relation.HasField("sql"):
            yield _batch(0, pyarrow.table({"name": ["main"]}))
        else:
            yield from _rows(range(relation.range.start, relation.range.end))
    yield messages.ExecutePlanResponse(result_complete=messages.ExecutePlanResponse.ResultComplete())


def _rows(rows: range) -> Iterator[Any]:
    schema = pyarrow.schema([pyarrow.field("id", pyarrow.int64(), nullable=False)])
    for start in range(rows.start, rows.stop, BATCH_ROWS):
        ids = range(start, min(rows.stop, start + BATCH_ROWS))
        yield _batch(start - rows.start, pyarrow.table({"id": pyarrow.array(ids, pyarrow.int64())}, schema))


def _batch(offset: int, table: Any) -> Any:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    response = messages.ExecutePlanResponse()
    response.arrow_batch.data = sink.getvalue().to_pybytes()
    response.arrow_batch.row_count = table.num_rows
    response.arrow_batch.start_offset = offset
    return response


async def analyze(exchange: Exchange) -> None:
    """Facts about a plan or the server: its version, and the one schema there is."""
    request = messages.AnalyzePlanRequest.FromString(await _message(exchange))
    response = messages.AnalyzePlanResponse(session_id=request.session_id, server_side_session_id=_SERVER)
    if request.HasField("spark_version"):
        response.spark_version.version = "4.0.0"
    elif request.HasField("schema"):
        from pyspark.sql.connect.types import pyspark_types_to_proto_types

        schema = StructType().add("id", LongType(), nullable=False)
        response.schema.schema.CopyFrom(pyspark_types_to_proto_types(schema))
    await _answer(exchange, response)


async def config(exchange: Exchange) -> None:
    """Settings: what was asked for with a default has that."""
    request = messages.ConfigRequest.FromString(await _message(exchange))
    response = messages.ConfigResponse(session_id=request.session_id, server_side_session_id=_SERVER)
    for pair in request.operation.get_with_default.pairs:
        response.pairs.add(key=pair.key, value=pair.value)
    await _answer(exchange, response)


async def release(exchange: Exchange) -> None:
    """The end of an execution."""
    request = messages.ReleaseExecuteRequest.FromString(await _message(exchange))
    await _answer(
        exchange,
        messages.ReleaseExecuteResponse(
            session_id=request.session_id, server_side_session_id=_SERVER, operation_id=request.operation_id
        ),
    )


async def release_session(exchange: Exchange) -> None:
    """The end of a session."""
    request = messages.ReleaseSessionRequest.FromString(await _message(exchange))
    await _answer(exchange, messages.ReleaseSessionResponse(session_id=request.session_id))


async def _message(exchange: Exchange) -> bytes:
    """The one message of a call (gRPC over HTTP/2: a byte of flags, four of length, the message)."""
    body = await exchange.receive_all(16 << 20)
    if body[:1] != b"\0":
        raise ValueError("the message is compressed")
    return body[5:]


def _frame(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return b"\0" + len(content).to_bytes(4, "big") + content


async def _answer(exchange: Exchange, message: Any) -> None:
    await exchange.respond(200, [(b"content-type", b"application/grpc")])
    await exchange.send(_frame(message))
    await exchange.finish([(b"grpc-status", b"0")])


_SERVICE = b"/spark.connect.SparkConnectService/"
ROUTES = (
    Route((b"POST",), _SERVICE + b"ExecutePlan", execute),
    Route((b"POST",), _SERVICE + b"AnalyzePlan", analyze),
    Route((b"POST",), _SERVICE + b"Config", config),
    Route((b"POST",), _SERVICE + b"ReleaseExecute", release),
    Route((b"POST",), _SERVICE + b"ReleaseSession", release_session),
)
