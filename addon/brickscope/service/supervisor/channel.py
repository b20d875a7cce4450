"""What supervisor and worker say to each other, over a pair of Unix sockets: single bytes, so nothing has to be parsed.

The supervisor sends connections only, each with one byte; the kernel never merges two of those. Its end of the pair closes
when it dies. What else it wants it says by signals.
"""

import os
from pathlib import Path
from typing import NamedTuple

from brickscope.service.monitoring.address import StatusAddress

VARIABLE = "BRICKSCOPE_WORKER"
"""Environment variable by which a worker knows its place: ``DESCRIPTOR:NUMBER``."""

FOLDER = "BRICKSCOPE_STATUS_FOLDER"
"""Environment variable: where workers put the sockets of their status."""

CONNECTION = b"c"
"""To the worker, with a socket: serve this."""
READY = b"R"
"""To the supervisor: the policy is loaded, the log is open; send connections."""
TAKEN = b"+"
"""The next connection was taken. Until this is said, nothing was read from it, and another worker may have it."""
ENDED = b"-"
"""A connection has ended."""
DRAINING = b"D"
"""Send no more connections; those that are open come to their end, and then the worker ends."""


class Plan(NamedTuple):
    """What the supervisor has to know before any worker starts; ``proxy/preparation.py`` finds it out.

    Where to listen, how long a stop may take (``stop_after``, seconds), ``scope_status`` as text (empty: nowhere), and
    whether messages are written as JSON.
    """

    host: str
    port: int
    stop_after: float
    status: str
    json_log: bool


def numbered(path: Path, number: int) -> Path:
    """A worker's own file: ``audit.jsonl`` becomes ``audit-1.jsonl``."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def worker_address(number: int) -> StatusAddress:
    """Where a worker serves its own status. Raises OSError: no supervisor has said where."""
    folder = os.environ.get(FOLDER)
    if not folder:
        raise OSError(f"the variable {FOLDER}, which the supervisor sets, is missing")
    return StatusAddress(path=Path(folder) / f"worker-{number}.sock")
