"""databricks-zerobus-ingest-sdk: a stream into a table, rows as JSON, all acknowledged. ``zerobus_ingest.py ENDPOINT``."""

from __future__ import annotations

import json
import os
import sys

from outcome import tell
from zerobus.sdk.sync import RecordType, StreamConfigurationOptions, TableProperties, ZerobusSdk

ROWS = 3


def write() -> object:
    sdk = ZerobusSdk(sys.argv[1], os.environ["DATABRICKS_HOST"])
    stream = sdk.create_stream(
        os.environ["DATABRICKS_CLIENT_ID"],
        os.environ["DATABRICKS_CLIENT_SECRET"],
        TableProperties("main.sales.orders"),
        StreamConfigurationOptions(record_type=RecordType.JSON, recovery=False),
    )
    offsets = [stream.ingest_record_offset(json.dumps({"order": row})) for row in range(ROWS)]
    stream.flush()
    stream.close()
    return offsets


tell(write)
