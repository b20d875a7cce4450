"""The fake workspace as a program: ``python -m brickscope.fake --port 0 --folder DIR``; Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from .workspace import ALPN, DNS_NAMES, FakeWorkspace


def main() -> None:
    """Print where it is as one line of JSON, then serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m brickscope.fake", description="A fake Databricks workspace."
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--folder", type=Path, help="where certificates go (default: a temporary folder)")
    parser.add_argument(
        "--name", action="append", help=f"DNS name it serves (default: {' '.join(DNS_NAMES)})"
    )
    parser.add_argument(
        "--alpn", action="append", choices=ALPN, help="HTTP version it offers (default: both)"
    )
    options = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    workspace = FakeWorkspace.start(
        options.folder, names=options.name or DNS_NAMES, alpn=options.alpn or ALPN, port=options.port
    )
    with workspace:
        print(json.dumps({"port": workspace.port, "ca_file": str(workspace.ca_file.absolute())}), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
