"""A host that answers what a test tells it to, byte by byte: what no HTTP library would let a server say."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path

from e2e.gate import POLICY
from e2e.proxy_process import ProxyProcess
from lab.workspace.authority import Authority
from lab.workspace.server import DNS_NAMES


class End(Enum):
    """How the host ends its connection after an answer."""

    STAYS = "not at all"
    SAYS = "by close_notify"
    HANGS_UP = "by the end of TCP alone"
    RESETS = "by a reset"

    def of(self, sock: ssl.SSLSocket) -> None:
        """End a connection so."""
        if self is End.RESETS:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        elif self is End.HANGS_UP:
            sock.shutdown(socket.SHUT_RDWR)
        elif self is End.SAYS:
            sock.unwrap()


class RawUpstream:
    """Answers every head of a request with ``answer``, once ``go`` is set, and ends its connection as ``end`` says.

    ``whole``: answers whenever so many bytes have come instead. ``answers``: those for some targets instead, each with its
    end. ``received``: all that came on each connection.
    """

    alpn = "http/1.1"

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        leaf = authority.issue(DNS_NAMES)
        self.ca_file = authority.ca_file
        self.answer = b""
        self.end = End.STAYS
        self.whole = 0
        self.answers: dict[bytes, tuple[bytes, End]] = {}
        self.go = threading.Event()
        self.go.set()
        self.received: list[bytearray] = []
        self.ended = threading.Event()
        """Set whenever a connection has ended."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(leaf.certificate_file, leaf.key_file)
        self._tls.set_alpn_protocols([self.alpn])
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
                self._talk(sock, received)
        except OSError:
            pass  # the proxy has hung up, which is what a test may look at in ``received``
        finally:
            self.ended.set()

    def _talk(self, sock: ssl.SSLSocket, received: bytearray) -> None:
        seen = 0
        while self.whole:
            while len(received) < seen + self.whole:
                data = sock.recv(65536)
                if not data:
                    return
                received += data
            seen += self.whole
            sock.sendall(self.answer)
        while True:
            while (end := received.find(b"\r\n\r\n", seen)) < 0:
                data = sock.recv(65536)
                if not data:
                    return
                received += data
            target = bytes(received[seen:end]).split(b" ")[1]
            seen = end + 4
            answer, how = self.answers.get(target, (self.answer, self.end))
            self.go.wait(60)
            sock.sendall(answer)
            if how is not End.STAYS:
                how.of(sock)
                return

    def close(self) -> None:
        self._server.close()


@contextlib.contextmanager
def running_raw[Host: RawUpstream](
    folder: Path,
    authority: Path,
    *arguments: str,
    policy: str = POLICY,
    host: Callable[[Path], Host] = RawUpstream,  # type: ignore[assignment]
) -> Iterator[tuple[ProxyProcess, Host]]:
    """A proxy with such a host behind it. ``arguments``: for mitmdump. ``host``: makes one, with a folder for its files."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(policy, encoding="utf-8")
    upstream = host(folder / "upstream")
    proxy = ProxyProcess.start(
        folder / "proxy",
        rules,
        upstream_port=upstream.port,
        upstream_ca=upstream.ca_file,
        authority=authority,
        arguments=arguments,
    )
    try:
        yield proxy, upstream
    finally:
        upstream.go.set()
        proxy.stop()
        upstream.close()
