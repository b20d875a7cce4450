"""A proxy that leads out, for tests: it takes CONNECT alone, and says what it is told to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading


class SmallParent:
    """Leads every name to ``targets`` (by host name; 127.0.0.1 and a port), once ``answer`` says 200.

    ``heads``: what it was asked, in order. ``answer``: its answer. ``early``: what it says right after that, by itself.
    """

    def __init__(self, targets: dict[str, int], tls: ssl.SSLContext | None = None) -> None:
        self.targets = targets
        self.heads: list[str] = []
        self.answer = b"HTTP/1.1 200 Connection established\r\n\r\n"
        self.early = b""
        self._tls = tls
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._server.accept()
                threading.Thread(target=self._serve, args=[accepted], daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock = accepted if self._tls is None else self._tls.wrap_socket(accepted, server_side=True)
            with sock:
                received = b""
                while b"\r\n\r\n" not in received:
                    data = sock.recv(1)  # what follows the head is for whom it leads to
                    if not data:
                        return
                    received += data
                self.heads.append(received.decode())
                sock.sendall(self.answer + self.early)
                if not self.answer.startswith(b"HTTP/1.1 200"):
                    return
                host = received.split(b" ")[1].rpartition(b":")[0].decode()
                with socket.create_connection(("127.0.0.1", self.targets[host])) as out:
                    other = threading.Thread(target=_copy, args=[out, sock], daemon=True)
                    other.start()
                    _copy(sock, out)
                    other.join(10)

    def close(self) -> None:
        self._server.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
