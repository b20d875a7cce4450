"""Zerobus Ingest: a stream of rows into a table, each acknowledged, by the messages of zerobus_service.proto.

Source: databricks/zerobus-sdk, rust/sdk/zerobus_service.proto. The client has no generated messages in Python, so they are
made here from the fields of that file.
"""

from __future__ import annotations

import uuid
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from lab.workspace.exchange import Exchange
from lab.workspace.route import Route

_PACKAGE = "databricks.zerobus"
# Message, field, its number, its type (a message's name or a scalar), repeated, and the oneof that it is in.
_FIELDS = (
    ("JsonRecordBatch", "records", 1, "string", True, None),
    ("CreateIngestStreamRequest", "table_name", 1, "string", False, None),
    ("CreateIngestStreamRequest", "descriptor_proto", 3, "bytes", False, None),
    ("CreateIngestStreamRequest", "record_type", 4, "int32", False, None),
    ("CreateIngestStreamResponse", "stream_id", 1, "string", False, None),
    ("IngestRecordRequest", "offset_id", 1, "int64", False, None),
    ("IngestRecordRequest", "proto_encoded_record", 2, "bytes", False, "record"),
    ("IngestRecordRequest", "json_record", 3, "string", False, "record"),
    ("IngestRecordBatchRequest", "offset_id", 1, "int64", False, None),
    ("IngestRecordBatchRequest", "json_batch", 3, "JsonRecordBatch", False, "batch"),
    ("EphemeralStreamRequest", "create_stream", 1, "CreateIngestStreamRequest", False, "payload"),
    ("EphemeralStreamRequest", "ingest_record", 2, "IngestRecordRequest", False, "payload"),
    ("EphemeralStreamRequest", "ingest_record_batch", 3, "IngestRecordBatchRequest", False, "payload"),
    ("IngestRecordResponse", "durability_ack_up_to_offset", 1, "int64", False, None),
    ("EphemeralStreamResponse", "create_stream_response", 1, "CreateIngestStreamResponse", False, "payload"),
    ("EphemeralStreamResponse", "ingest_record_response", 2, "IngestRecordResponse", False, "payload"),
)


def _messages() -> dict[str, Any]:
    """The classes of the messages, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="zerobus_service.proto", package=_PACKAGE, syntax="proto2")
    made: dict[str, Any] = {}
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, name, number, kind, repeated, oneof in _FIELDS:
        if message not in made:
            made[message] = file.message_type.add(name=message)
        field = made[message].field.add(name=name, number=number)
        field.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        if kind[0].isupper():
            field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
        else:
            field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
        if oneof is not None:
            if oneof not in [each.name for each in made[message].oneof_decl]:
                made[message].oneof_decl.add(name=oneof)
            field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in made
    }


_MESSAGES = _messages()


async def ephemeral_stream(exchange: Exchange) -> None:
    """A stream both ways: its table first, then records, each acknowledged when it is there."""
    await exchange.respond(200, [(b"content-type", b"application/grpc")])
    waiting = b""
    table = ""
    while data := await exchange.receive():
        waiting += data
        while len(waiting) >= 5 and len(waiting) >= (end := 5 + int.from_bytes(waiting[1:5], "big")):
            request = _MESSAGES["EphemeralStreamRequest"].FromString(waiting[5:end])
            waiting = waiting[end:]
            response = _MESSAGES["EphemeralStreamResponse"]()
            kind = request.WhichOneof("payload")
            if kind == "create_stream":
                table = request.create_stream.table_name
                response.create_stream_response.stream_id = str(uuid.uuid4())
            elif not table:
                await exchange.finish([(b"grpc-status", b"3"), (b"grpc-message", b"no stream was created")])
                return
            else:
                offset = getattr(request, kind).offset_id
                response.ingest_record_response.durability_ack_up_to_offset = offset
            content = response.SerializeToString()
            await exchange.send(b"\0" + len(content).to_bytes(4, "big") + content)
    await exchange.finish([(b"grpc-status", b"0")])


ROUTES = (Route((b"POST",), b"/databricks.zerobus.Zerobus/EphemeralStream", ephemeral_stream),)
