"""A host that speaks websocket, by wsproto, which is nobody's of the proxy's."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from lab.workspace.authority import Authority

REFUSAL = b"no such tunnel"
LENGTH = (b"content-length", str(len(REFUSAL)).encode())


class WebSocketHost:
    """Repeats what it is told. ``?id=refuse`` is refused, ``?id=stall`` accepted and never read; ``/logz/stream`` answers a
    search with two lines of a log. ``asked``: the heads of all requests."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        authority = Authority(folder)
        leaf = authority.issue(names)
        self.ca_file = authority.ca_file
        self.asked: list[bytes] = []
        self.stalled = threading.Event()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(leaf.certificate_file, leaf.key_file)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @classmethod
    @contextmanager
    def start(cls, folder: Path, names: tuple[str, ...]) -> Iterator[WebSocketHost]:
        """One that ends with the block."""
        host = cls(folder, names)
        try:
            yield host
        finally:
            host.stalled.set()
            host._server.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=[accepted], daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError), self._tls.wrap_socket(accepted, server_side=True) as sock:
            talk = WSConnection(ConnectionType.SERVER)
            is_log = False
            while data := sock.recv(65536):
                talk.receive_data(data)
                for event in talk.events():
                    if isinstance(event, Request):
                        self.asked.append(data)
                        is_log = event.target == "/logz/stream"
                        if "id=refuse" in event.target:
                            sock.sendall(
                                talk.send(RejectConnection(status_code=404, headers=[LENGTH], has_body=True))
                            )
                            sock.sendall(talk.send(RejectData(data=REFUSAL)))
                            return
                        chosen = event.subprotocols[0] if event.subprotocols else None
                        sock.sendall(talk.send(AcceptConnection(subprotocol=chosen)))
                        if "id=stall" in event.target:
                            self.stalled.wait()
                            return
                    elif isinstance(event, TextMessage) and is_log and event.message_finished:
                        for number in range(2):
                            line = {"timestamp": number, "source": "APP", "message": f"line {number}"}
                            sock.sendall(talk.send(TextMessage(data=json.dumps(line))))
                    elif isinstance(event, TextMessage | BytesMessage):
                        again = type(event)(data=event.data, message_finished=event.message_finished)
                        sock.sendall(talk.send(again))
                    elif isinstance(event, Ping):
                        sock.sendall(talk.send(event.response()))
                    elif isinstance(event, CloseConnection):
                        sock.sendall(talk.send(event.response()))
                        sock.unwrap()
                        return
