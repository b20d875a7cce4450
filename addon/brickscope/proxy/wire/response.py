"""The answers of a host in HTTP/1.1: from its bytes to what the client gets of them.

Rules: nothing of a head goes on before it is whole and regular; what belongs to a body is counted off and passed on as it
came. An answer to a call whose placeholder was exchanged is looked at on its way (``credential.py``).
"""

from .answer import MAX_INTERIMS, AnswerScanner
from .events import Answered, Event, ToClient
from .exchange import Answering, Exchange, Step
from .framing import Broken, Chunked
from .upgrade import switch

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Responses:
    """Of one connection, one after the other."""

    __slots__ = ("_begun", "_scanner")

    def __init__(self) -> None:
        self._scanner = AnswerScanner()
        self._begun = b""
        """The begin of a head."""

    def take(self, events: list[Event], exchange: Exchange, data: bytes, *, closing: bool) -> bytes:
        """Pass on what belongs to the answer. ``closing``: it shall say that it is the last. Returns what follows it. Raises
        Broken, with nothing of its head passed."""
        if self._begun:
            data, self._begun = self._begun + data, b""
        at = 0
        while exchange.answering is Answering.AWAITED:
            head = self._scanner.read(data, at, to_head=exchange.head.is_head, closing=closing)
            if head is None:
                self._begun = data[at:]
                return b""
            start, at = at, head.end
            if exchange.reflection is not None and head.status >= 200:
                exchange.reflection.begin(data[start:at])
            elif exchange.reflection is not None:
                exchange.reflection.check(data[start:at])
            if head.status == 101:
                events += switch(exchange, data, start, head)
                return b""
            if head.status >= 200:
                exchange.hear(Step.HEAD)
                exchange.status, exchange.reply = head.status, head.body
                exchange.last = exchange.last or head.closes or closing
                at = _feed(exchange, data, at)
                events.append(Answered(exchange))
                first = data[start:at] if head.raw is None else head.raw + data[head.end : at]
                _give(events, exchange, first)
                return data[at:]
            exchange.hear(Step.INTERIM)
            exchange.interims += 1
            if exchange.interims > MAX_INTERIMS:
                raise Broken("too many interim answers")
            if head.status != 100 or not exchange.told_to_go_on:
                events.append(ToClient(data[start:at] if head.raw is None else head.raw))
        at = _feed(exchange, data, 0)
        _give(events, exchange, data[:at])
        return data[at:]

    @staticmethod
    def end(events: list[Event], exchange: Exchange) -> None:
        """The connection has ended, and with it a body that lasts so long."""
        exchange.reply.ended = True
        exchange.hear(Step.BODY_ENDED)
        if exchange.reflection is not None and (rest := exchange.reflection.rest()):
            events.append(ToClient(rest))


def _feed(exchange: Exchange, data: bytes, at: int) -> int:
    """Count off what belongs to the answer's body, and have it looked at. Raises Broken."""
    reply, reflection = exchange.reply, exchange.reflection
    if reflection is None:
        return reply.feed(data, at)
    if not isinstance(reply, Chunked):
        end = reply.feed(data, at)
        reflection.look(data[at:end], data[at:end], ended=reply.ended)
        return end
    reply.content = bytearray()
    end = reply.feed(data, at)
    reflection.look(data[at:end], bytes(reply.content), ended=reply.ended)
    if reply.trailers:
        reflection.check(reply.trailers)
        if not reply.ended:
            reflection.wait()
    return end


def _give(events: list[Event], exchange: Exchange, data: bytes) -> None:
    """Pass on bytes of the answer, unless they have to wait for the next ones, and see whether it is complete."""
    if exchange.reflection is not None:
        data = exchange.reflection.give(data)
    if data:
        events.append(ToClient(data))
        exchange.passed = True
    if exchange.reply.ended:
        exchange.hear(Step.BODY_ENDED)
