"""One line through the HTTP/1.1 core: a client, a gate that rules by the path, and a host, all by hand.

``story`` is what happened, one short text an event; bytes for one side that follow each other are one entry.
"""

from __future__ import annotations

from collections.abc import Callable

from brickscope.core.decision import Refused
from brickscope.proxy.wire.answer import Form
from brickscope.proxy.wire.events import (
    Answered,
    Close,
    Denied,
    Dial,
    Ended,
    Event,
    Hold,
    Judge,
    Ruling,
    Switched,
    ToClient,
    ToHost,
)
from brickscope.proxy.wire.head import Announced, Cleared, Door, Head, read_announced
from brickscope.proxy.wire.http1 import Http1
from brickscope.proxy.wire.websocket import WebSocket

HOST = "dbc-a.cloud.databricks.com"
DOOR = Door(HOST, 443, HOST, b"http/1.1")
DENIAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
DENIED = Form(403, b"Forbidden", [(b"content-length", b"0")], b"")
EXPLAINED = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def request(target: str = "/ok", *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request, with the length of its body if it has one."""
    more = [f"Content-Length: {len(body)}"] if body else []
    return (
        "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {HOST}", *lines, *more, "", ""]).encode() + body
    )


def chunked(target: str = "/ok", body: bytes = b"", *lines: str) -> bytes:
    """A request whose body comes in chunks; ``body``: as it is on the wire."""
    return request(target, "Transfer-Encoding: chunked", *lines, method="POST") + body


def answer(
    body: bytes = b"", *lines: str, status: int = 200, version: str = "1.1", sized: bool = True
) -> bytes:
    """An answer."""
    more = [f"content-length: {len(body)}"] if sized else []
    return "\r\n".join([f"HTTP/{version} {status} OK", *lines, *more, "", ""]).encode() + body


def judge(head: Head, body: bytes | None, refused: Refused | None) -> Ruling | None:
    """The gate of these tests: ``/deny…`` is denied, ``/hold…`` wants its body (10 bytes at most), ``/wait…`` has no
    ruling yet, ``/monitor…`` wants its body and goes on whatever it is. Everything else is allowed."""
    target = head.wire.target
    announced = read_announced(head.wire.headers) if head.raw else None
    held = target.startswith((b"/hold", b"/monitor"))
    if held and body is None and refused is None and announced is not None:
        return Hold(10, announced)
    if refused is not None and not (target.startswith(b"/monitor") and refused.reason.value == "too_large"):
        return Denied(DENIED, announced)
    if announced is None or target.startswith(b"/deny") or (target.startswith(b"/hold") and body == b"bad"):
        return Denied(DENIED, None if head.expects else announced, last=target.startswith(b"/deny-last"))
    return None if target.startswith(b"/wait") else clear(head, announced)


def clear(head: Head, announced: Announced) -> Cleared:
    """Leave to send a head."""
    return Cleared(head, head.raw, head.fields, announced, "id", 0.0)


class Line:
    """The core between its two sides. ``up``: whether the host answers a dial at once (None: the test says when)."""

    def __init__(
        self,
        rule: Callable[[Head, bytes | None, Refused | None], Ruling | None] = judge,
        *,
        up: bool | None = True,
    ) -> None:
        self.core = Http1(DOOR)
        self.rule = rule
        self.up = up
        self.story: list[str] = []
        self.to_host = b""
        self.to_client = b""
        self.judged: list[tuple[Head, bytes | None, Refused | None]] = []
        self.waiting: list[Judge] = []
        self.closed: set[str] = set()
        self._last: str | None = None

    def client(self, data: bytes) -> None:
        """The client sends."""
        self.do(self.core.from_client(data))

    def host(self, data: bytes) -> None:
        """The host sends."""
        self.do(self.core.from_host(data))

    def do(self, events: list[Event]) -> None:
        """Carry events out."""
        todo = list(events)
        while todo:
            event = todo.pop(0)
            if isinstance(event, ToHost):
                assert event.data, "an empty write"
                assert "host" not in self.closed
                self.to_host += event.data
                self._note("host<")
            elif isinstance(event, ToClient):
                assert "client" not in self.closed
                assert event.data, "an empty write"
                is_told = b"Brickscope got no answer" in event.data
                self.to_client += EXPLAINED if is_told else event.data
                self._note("explained" if is_told else "client<")
            elif isinstance(event, Judge):
                self._note(f"judge {event.head.wire.target.decode()}")
                refused = event.refused or event.unread
                self.judged.append((event.head, event.body, refused))
                ruling = self.rule(event.head, event.body, refused)
                if ruling is None:
                    self.waiting.append(event)
                else:
                    todo = [*self.core.rule(event.exchange, ruling), *todo]
            elif isinstance(event, Dial):
                self._note("dial")
                if self.up is not None:
                    found = self.core.host_up() if self.up else self.core.host_failed("refused")
                    todo = [*found, *todo]
            elif isinstance(event, Answered):
                self._note(f"answered {event.exchange.status}")
            elif isinstance(event, Ended):
                exchange = event.exchange
                fault = "" if exchange.fault is None else f" {exchange.fault.name}"
                self._note(f"ended {exchange.status} {exchange.body.size} {exchange.reply.size}{fault}")
            elif isinstance(event, Switched):
                self._note("switched")
                self.core = WebSocket(event.exchange)
                todo += self.core.from_host(event.early)
            else:
                assert isinstance(event, Close), event
                self.closed.add(event.side.value)
                self._note(f"close {event.side.value} {event.how.value}")

    def _note(self, what: str) -> None:
        if what != self._last or not what.endswith("<"):
            self.story.append(what)
        self._last = what
