"""One line through the HTTP/2 core: a client and a host that write frames by hand, and a gate that rules by the path.

``story`` is what happened, one short text an event; frames are told by ``shown``.
"""

from __future__ import annotations

from collections.abc import Callable

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.proxy.wire.answer import Form
from brickscope.proxy.wire.events import (
    Answered,
    Close,
    Denied,
    Dial,
    Ended,
    Event,
    HangUp,
    Hold,
    Judge,
    Ruling,
    ToClient,
    ToHost,
)
from brickscope.proxy.wire.head import Announced, Cleared, Door, Head
from brickscope.proxy.wire.http2 import Http2
from http2_by_hand import HOST, Listener, Speaker

DOOR = Door(HOST, 443, HOST, b"h2")
DENIAL = Form(403, b"Forbidden", [(b"content-length", b"2"), (b"connection", b"close")], b"no")


def judge(head: Head, body: bytes | None, refused: Refused | None) -> Ruling | None:
    """The gate of these tests: ``/deny…`` is denied, ``/hold…`` wants its body (10 bytes at most), ``/wait…`` has no
    ruling yet. Everything else is allowed."""
    target = head.wire.target
    if refused is not None and not (target.startswith(b"/monitor") and refused.reason is Reason.TOO_LARGE):
        return Denied(DENIAL, None)
    if target.startswith((b"/hold", b"/monitor")) and body is None and refused is None:
        return Hold(10, Announced())
    if target.startswith(b"/deny") or (target.startswith(b"/hold") and body == b"bad"):
        return Denied(DENIAL, Announced())
    return None if target.startswith(b"/wait") else clear(head)


def clear(head: Head) -> Cleared:
    """Leave to send a head."""
    return Cleared(head, head.raw, head.fields, Announced(), "id", 0.0)


class Line:
    """The core between its two sides. ``up``: whether the host answers a dial at once (None: the test says when)."""

    def __init__(
        self,
        rule: Callable[[Head, bytes | None, Refused | None], Ruling | None] = judge,
        *,
        up: bool | None = True,
        split: int = 0,
    ) -> None:
        """``split``: in pieces of how many bytes everything comes; 0: as it is sent."""
        self.core = Http2(DOOR)
        self.split = split
        self.rule = rule
        self.up = up
        self.story: list[str] = []
        self.at_client, self.at_host = Listener(is_host=False), Listener(is_host=True)
        self.judged: list[tuple[Head, bytes | None, Refused | None]] = []
        self.waiting: list[Judge] = []
        self.closed: dict[str, str] = {}
        self.outcomes: list[tuple[int | None, int, int, str]] = []
        self.c, self.h = Speaker(is_client=True), Speaker(is_client=False)
        self.do(self.core.begin())
        self.client(self.c.hello)

    def client(self, *sent: bytes) -> None:
        """The client sends."""
        for piece in self._pieces(b"".join(sent)):
            self.do(self.core.from_client(piece))

    def host(self, *sent: bytes) -> None:
        """The host sends."""
        for piece in self._pieces(b"".join(sent)):
            self.do(self.core.from_host(piece))

    def _pieces(self, sent: bytes) -> list[bytes]:
        size = self.split or len(sent) or 1
        return [sent[at : at + size] for at in range(0, len(sent), size)]

    def do(self, events: list[Event]) -> None:
        """Carry events out."""
        todo = list(events)
        while todo:
            event = todo.pop(0)
            if isinstance(event, ToHost):
                assert event.data, "an empty write"
                assert "host" not in self.closed
                self.story += [f"host< {text}" for text in self.at_host.hear(event.data)]
            elif isinstance(event, ToClient):
                assert event.data, "an empty write"
                assert "client" not in self.closed
                self.story += [f"client< {text}" for text in self.at_client.hear(event.data)]
            elif isinstance(event, Judge):
                if not self.core.awaits(event.exchange):
                    continue
                self.story.append(f"judge {event.head.wire.target.decode('latin-1')}")
                refused = event.refused or event.unread
                self.judged.append((event.head, event.body, refused))
                ruling = self.rule(event.head, event.body, refused)
                if ruling is None:
                    self.waiting.append(event)
                else:
                    todo += self.core.rule(event.exchange, ruling)
            elif isinstance(event, Dial):
                self.story.append("dial")
                if self.up is not None:
                    todo += self.core.host_up() if self.up else self.core.host_failed("refused")
                    if self.up:
                        self.h = Speaker(is_client=False)
                        self.at_host = Listener(is_host=True)
                        todo += self.core.from_host(self.h.hello)
            elif isinstance(event, Answered):
                self.story.append(f"answered {event.exchange.status}")
            elif isinstance(event, Ended):
                each = event.exchange
                fault = "" if each.fault is None else each.fault.name
                self.outcomes.append((each.status, each.body.size, each.reply.size, fault))
                self.story.append(f"ended {each.status} {each.body.size} {each.reply.size} {fault}".strip())
            elif isinstance(event, HangUp):
                self.story.append("hang up")
            else:
                assert isinstance(event, Close), event
                self.closed[event.side.value] = event.how.value
                self.story.append(f"close {event.side.value} {event.how.value}")
