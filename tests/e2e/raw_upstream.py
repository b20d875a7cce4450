"""A host that answers what a test tells it to, byte by byte: what no HTTP library would let a server say."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from e2e.gate import POLICY
from e2e.proxy_process import ProxyProcess
from lab.workspace.authority import Authority
from lab.workspace.server import DNS_NAMES


class RawUpstream:
    """Takes one connection after the other, reads the head of a request, and sends ``answer`` once ``go`` is set.

    ``received``: all that came on each connection.
    """

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        leaf = authority.issue(DNS_NAMES)
        self.ca_file = authority.ca_file
        self.answer = b""
        self.go = threading.Event()
        self.go.set()
        self.received: list[bytearray] = []
        self.ended = threading.Event()
        """Set whenever a connection has ended."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(leaf.certificate_file, leaf.key_file)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=[accepted], daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        received = bytearray()
        try:
            with self._tls.wrap_socket(accepted, server_side=True) as sock:
                self.received.append(received)
                while b"\r\n\r\n" not in received and (data := sock.recv(65536)):
                    received += data
                self.go.wait(60)
                sock.sendall(self.answer)
                while data := sock.recv(65536):
                    received += data
        except OSError:
            pass  # the proxy has hung up, which is what a test may look at in ``received``
        finally:
            self.ended.set()

    def close(self) -> None:
        self._server.close()


@contextlib.contextmanager
def running_raw(folder: Path, authority: Path) -> Iterator[tuple[ProxyProcess, RawUpstream]]:
    """A proxy with the policy of ``gate.py``, and such a host behind it."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(POLICY, encoding="utf-8")
    upstream = RawUpstream(folder / "upstream")
    proxy = ProxyProcess.start(
        folder / "proxy",
        rules,
        upstream_port=upstream.port,
        upstream_ca=upstream.ca_file,
        authority=authority,
    )
    try:
        yield proxy, upstream
    finally:
        upstream.go.set()
        proxy.stop()
        upstream.close()
