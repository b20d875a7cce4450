"""delta-sharing: a recipient's profile that leads to the workspace; a table of the share, or one of another share."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import delta_sharing
from outcome import HOST, tell


def call() -> object:
    profile = {
        "shareCredentialsVersion": 1,
        "endpoint": f"https://{HOST}/api/2.0/delta-sharing/metastores/{sys.argv[1]}",
        "bearerToken": os.environ["DATABRICKS_TOKEN"],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.share"
        file.write_text(json.dumps(profile))
        shares = [share.name for share in delta_sharing.SharingClient(str(file)).list_shares()]
        rows = delta_sharing.load_as_pandas(f"{file}#sales.eu.orders")
        return {"shares": shares, "ids": [int(value) for value in rows["id"]]}


tell(call)
