"""httpx, by its environment variables alone. ``rest_httpx.py PATH http1|http2``."""

from __future__ import annotations

import os
import sys

import httpx
from outcome import HOST, tell


def call() -> object:
    with httpx.Client(http2=sys.argv[2] == "http2", timeout=30) as client:
        answer = client.get(
            f"https://{HOST}{sys.argv[1]}",
            headers={"Authorization": f"Bearer {os.environ['DATABRICKS_TOKEN']}"},
        )
    if answer.is_error:
        raise RuntimeError(answer.json()["message"])
    return [catalog["name"] for catalog in answer.json()["catalogs"]]


tell(call)
