"""The workspace of the end-to-end bench: a TLS server that is fast enough to hold no proxy back.

Threads and blocking sockets: a third of the cost of asyncio's TLS, whose streams copy each record several times.
Run as ``python -m lab.bench.upstream CERTIFICATE KEY``; it prints its port and serves until its input ends.

* ``GET .../fs/files/...``: ``size`` bytes (the last part of the path, ``data-SIZE.bin``)
* ``POST .../invocations``: 10 server-sent events, 100 ms apart
* over HTTP/2, and all else: about 500 bytes of JSON, after the request's body has been read and dropped
"""

from __future__ import annotations

import re
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

from .messages import BODY, response_fields
from .sockets import Stream, StreamEnded
from .streams import answer_streams

EVENT_COUNT, EVENT_PAUSE = 10, 0.1
CHUNK = b"\xa5" * (1 << 18)

_LINES = b"".join(name + b": " + value + b"\r\n" for name, value in response_fields(len(BODY)))
ANSWER = b"HTTP/1.1 200 OK\r\n" + _LINES + b"\r\n" + BODY
_SIZE = re.compile(rb"data-(\d+)\.bin ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def serve(certificate: Path, key: Path) -> None:
    """Serve until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    threading.Thread(target=_accept, args=(listener, context), daemon=True).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_talk, args=(connection, context), daemon=True).start()


def _talk(plain: socket.socket, context: ssl.SSLContext) -> None:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        with context.wrap_socket(plain, server_side=True) as secure:
            if secure.selected_alpn_protocol() == "h2":
                answer_streams(secure)
                return
            stream = Stream(secure)
            while True:
                _answer(stream, stream.read_head())
    except (OSError, StreamEnded):
        plain.close()


def _answer(stream: Stream, head: bytes) -> None:
    length = _LENGTH.search(head)
    if length is not None:
        stream.drop(int(length[1]))
    size = _SIZE.search(head) if head.startswith(b"GET") else None
    if size is not None:
        _send_body(stream, int(size[1]))
    elif b"/invocations " in head[:256]:
        _send_events(stream)
    else:
        stream.send(ANSWER)


def _send_body(stream: Stream, size: int) -> None:
    stream.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % size
    )
    view = memoryview(CHUNK)
    while size:
        part = view[: min(size, len(view))]
        stream.send(part)
        size -= len(part)


def _send_events(stream: Stream) -> None:
    stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number in range(EVENT_COUNT):
        event = b'data: {"choices":[{"delta":{"content":"word %d"}}]}\n\n' % number
        stream.send(b"%x\r\n%b\r\n" % (len(event), event))
        if number < EVENT_COUNT - 1:
            time.sleep(EVENT_PAUSE)
    stream.send(b"0\r\n\r\n")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
