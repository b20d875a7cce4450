"""The fake workspace with what the clients need besides: run by the clients' Python, which has their message formats.

``python -m clients.served FOLDER`` prints where it is as one line of JSON. Each line that it then reads is a wish,
answered by one line of JSON: ``requests`` (what reached it so far), ``clear``, or ``bearers`` and the only tokens that are
known from then on. It ends with its input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clients.served import (
    agents,
    clusters,
    files,
    mlflow,
    pipelines,
    sharing,
    spark,
    storage,
    thrift,
    zerobus,
)
from lab.workspace.entra import APPLICATION, HOSTS, OBJECT, Entra
from lab.workspace.managed_identity import managed_identity
from lab.workspace.server import DNS_NAMES, FakeWorkspace


def main() -> None:
    """Serve until standard input ends."""
    entra = Entra({APPLICATION: OBJECT})
    routes = [
        *thrift.ROUTES,
        *spark.ROUTES,
        *mlflow.ROUTES,
        *sharing.ROUTES,
        *files.ROUTES,
        *clusters.ROUTES,
        *agents.ROUTES,
        *pipelines.ROUTES,
        *zerobus.ROUTES,
        *entra.routes,
    ]
    with (
        FakeWorkspace.start(Path(sys.argv[1]), names=(*DNS_NAMES, *HOSTS), routes=routes) as workspace,
        managed_identity(lambda audience: entra.sign(APPLICATION, audience)) as identity_port,
    ):
        storage.stand_at(workspace.port)
        _say({"port": workspace.port, "ca_file": str(workspace.ca_file), "identity_port": identity_port})
        for line in sys.stdin:
            if line.strip() == "clear":
                workspace.clear()
                _say([])
            elif line.startswith("bearers "):
                workspace.issuer.bearers = set(line.split()[1:])
                _say([])
            else:
                _say(
                    [
                        {
                            "version": request.version,
                            "method": request.method.decode("latin-1"),
                            "path": request.path.decode("latin-1"),
                            "body_length": request.body_length,
                            "body_sha256": request.body_sha256,
                            "headers": {
                                name.decode("latin-1").lower(): value.decode("latin-1")
                                for name, value in request.headers
                            },
                        }
                        for request in workspace.requests
                    ]
                )


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
