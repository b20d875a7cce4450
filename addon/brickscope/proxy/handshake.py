"""A TLS handshake that failed: from what is said of it to its likely cause, the record, and a line for the operator.

What is said are OpenSSL's reason codes (``ssl/ssl_err.c``). The phrases are looked for in order; the first one that fits
counts.
"""

import time
from typing import Literal

from brickscope import notice
from brickscope.log.handshake import HandshakeCause
from brickscope.log.record import printable

from .gate import Gate

TlsSide = Literal["client", "server"]

_PHRASES: dict[TlsSide, tuple[tuple[str, HandshakeCause], ...]] = {
    "client": (
        ("alert unknown ca", HandshakeCause.CA_UNKNOWN),
        ("certificate expired", HandshakeCause.CERTIFICATE_EXPIRED),
        ("bad certificate", HandshakeCause.CERTIFICATE_REFUSED),
        ("certificate unknown", HandshakeCause.CERTIFICATE_REFUSED),
        ("certificate revoked", HandshakeCause.CERTIFICATE_REFUSED),
        ("unsupported certificate", HandshakeCause.CERTIFICATE_REFUSED),
        ("access denied", HandshakeCause.CERTIFICATE_REFUSED),
        ("protocol version", HandshakeCause.PROTOCOL_VERSION),
        ("unsupported protocol", HandshakeCause.PROTOCOL_VERSION),
        ("no shared cipher", HandshakeCause.NO_SHARED_CIPHER),
        ("no suitable signature algorithm", HandshakeCause.NO_SHARED_CIPHER),
        ("insufficient security", HandshakeCause.NO_SHARED_CIPHER),
        ("handshake failure", HandshakeCause.NO_SHARED_CIPHER),
        ("unrecognized name", HandshakeCause.SERVER_NAME),
        ("wrong version number", HandshakeCause.NOT_TLS),
        ("http request", HandshakeCause.NOT_TLS),
        ("unexpected eof", HandshakeCause.CLOSED_BY_CLIENT),
        ("user canceled", HandshakeCause.CLOSED_BY_CLIENT),
    ),
    "server": (
        ("certificate verify failed", HandshakeCause.SERVER_UNTRUSTED),
        ("protocol version", HandshakeCause.PROTOCOL_VERSION),
        ("unsupported protocol", HandshakeCause.PROTOCOL_VERSION),
        ("handshake failure", HandshakeCause.NO_SHARED_CIPHER),
        ("insufficient security", HandshakeCause.NO_SHARED_CIPHER),
        ("unrecognized name", HandshakeCause.SERVER_NAME),
        ("wrong version number", HandshakeCause.NOT_TLS),
        ("unexpected eof", HandshakeCause.CLOSED_BY_SERVER),
    ),
}


def find_cause(side: TlsSide, error: str | None) -> HandshakeCause:
    """The likely cause of a handshake that ``side`` refused, from what OpenSSL says; ``OTHER`` if that is nothing known.

    ``error`` None: the handshake ended without one, which is a hang-up.
    """
    if error is None:
        return HandshakeCause.CLOSED_BY_CLIENT if side == "client" else HandshakeCause.CLOSED_BY_SERVER
    text = error.lower()
    for phrase, cause in _PHRASES[side]:
        if phrase.lower() in text:
            return cause
    return HandshakeCause.OTHER


class Repetition:
    """Holds back what was said a short while ago, so that a client that tries again all day does not fill the
    operational log; the audit log has every record."""

    def __init__(self, seconds: float = 600, most: int = 1024) -> None:
        self._seconds = seconds
        self._most = most
        self._said: dict[tuple[str, ...], float] = {}

    def is_new(self, *what: str, now: float | None = None) -> bool:
        """Whether this was not said within the last ``seconds``; it counts as said from now on."""
        moment = time.monotonic() if now is None else now
        last = self._said.pop(what, None)
        if last is None and len(self._said) >= self._most:
            # A client picks its host names: the oldest go, or the memory would be the client's to fill.
            del self._said[next(iter(self._said))]
        new = last is None or moment - last > self._seconds
        self._said[what] = moment if new or last is None else last
        return new


class Refusals:
    """Records failed handshakes, and tells the operator of each kind once in a while."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._told = Repetition()

    def record(self, side: TlsSide, error: str | None, client: str | None, host: str, port: int) -> None:
        """``side`` refused. ``error``: what was said, None for a hang-up. ``client``: its address. Never raises an Exception
        of the log."""
        self._gate.tally.refused_tls(side)
        shown = printable(host)[:256]
        cause = find_cause(side, error)
        self._gate.record(
            "tls_refused",
            {
                "side": side,
                "cause": cause.value,
                "detail": printable(error or "the TLS handshake ended early")[:256],
                "client_address": client,
                "server_address": shown,
                "server_port": port,
            },
        )
        # A client that refuses us picks the host it names: by made-up ones it could fill the operational log.
        about = shown if side == "server" else ""
        if self._told.is_new(side, client or "", about, cause):
            advice = f"; {cause.advice}" if cause.advice else ""
            text = f"TLS between {client} and {shown} was refused ({cause.value}): {cause.sentence}{advice}"
            notice.warning("tls_refused", text)
