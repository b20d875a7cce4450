"""databricks-sdk: a file up in parts and down in ranges, as the SDK itself chooses, checked by hash.

``sdk_files.py allowed|refused SIZE FOLDER``. Downloads go by presigned link and, with the link refused, through the
workspace's own Files API.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from databricks.sdk import WorkspaceClient
from outcome import tell


def call() -> object:
    client = WorkspaceClient()
    if sys.argv[1] == "refused":
        with Path(sys.argv[3]).open("rb") as source:
            client.files.upload("/Volumes/other/s/v/x.bin", source)
        return "uploaded"
    size, folder = int(sys.argv[2]), Path(sys.argv[3])
    path = f"/Volumes/demo/bytes/{size}"
    target = folder / "down.bin"
    client.files.download_to(path, str(target), use_parallel=True)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    client.files.upload_from(path, str(target), use_parallel=True)
    return {"size": target.stat().st_size, "sha256": digest}


tell(call)
