"""A TLS server that stands in for a Databricks workspace: three lists, and the paths of all calls that reached it."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CATALOGS = "/api/2.1/unity-catalog/catalogs"
QUERIES = "/api/2.0/preview/sql/queries"
WAREHOUSES = "/api/2.0/sql/warehouses"
ANSWERS = {
    CATALOGS: {"catalogs": [{"name": "main", "catalog_type": "MANAGED_CATALOG", "owner": "admins"}]},
    QUERIES: {
        "count": 1,
        "page": 1,
        "page_size": 25,
        "results": [{"name": "Trips a day", "query": "SELECT 1"}],
    },
    WAREHOUSES: {"warehouses": [{"id": "475b94ddc7cd5211", "name": "Starter Warehouse", "state": "STOPPED"}]},
}
VALID = timedelta(days=1)


class FakeWorkspace(ThreadingTCPServer):
    """The server, on a free port of 127.0.0.1. Made by ``open_workspace``.

    ``ca_file``: what a client has to trust. ``paths``: of the calls that reached it, in order. ``port``: where it listens.
    """

    daemon_threads = True

    def __init__(self, folder: Path, name: str) -> None:
        """Make a certificate for the DNS name ``name`` in ``folder``, and listen."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port: int = self.socket.getsockname()[1]
        self.paths: list[str] = []
        self.ca_file = _make_certificate(folder, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file)
        # The handshake is left to the connection's own thread: a client that sends nothing keeps no other waiting.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeWorkspace

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        answer = ANSWERS.get(self.path)
        body = json.dumps(answer or {"error_code": "ENDPOINT_NOT_FOUND", "message": self.path}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing: the demonstration tells what it did."""


@contextmanager
def open_workspace(folder: Path, name: str) -> Iterator[FakeWorkspace]:
    """A workspace that serves until the ``with`` is left."""
    with FakeWorkspace(folder, name) as workspace:
        thread = threading.Thread(target=workspace.serve_forever, name="fake workspace", daemon=True)
        thread.start()
        try:
            yield workspace
        finally:
            workspace.shutdown()
            thread.join()


def _make_certificate(folder: Path, name: str) -> Path:
    """A PEM file of a certificate and its key. It is signed by itself, so whoever trusts it trusts this one server."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Brickscope fake workspace")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, file = serialization.Encoding.PEM, folder / "workspace.pem"
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    folder.mkdir(mode=0o700)
    file.write_bytes(certificate.public_bytes(pem) + secret)
    return file
