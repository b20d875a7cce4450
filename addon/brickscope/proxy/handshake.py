"""A TLS handshake that failed: from what is said of it to its likely cause by ``handshake.yaml``, the record, and a line for
the operator."""

import time
from collections.abc import Mapping
from typing import Literal

from brickscope import notice
from brickscope.log.record import printable
from brickscope.shipped import table

from .gate import Gate

TlsSide = Literal["client", "server"]

CAUSES: Mapping[str, Mapping[str, str]] = table(__package__, "handshake.yaml")["causes"]
PHRASES: Mapping[TlsSide, Mapping[str, str]] = table(__package__, "handshake.yaml")["phrases"]


def find_cause(side: TlsSide, error: str | None) -> str:
    """The likely cause (of CAUSES) of a handshake that ``side`` refused, from what OpenSSL says.

    ``error`` None: the handshake ended without one, which is a hang-up.
    """
    if error is None:
        return f"closed_by_{side}"
    text = error.lower()
    return next((cause for phrase, cause in PHRASES[side].items() if phrase in text), "other")


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
                "cause": cause,
                "detail": printable(error or "the TLS handshake ended early")[:256],
                "client_address": client,
                "server_address": shown,
                "server_port": port,
            },
        )
        # A client that refuses us picks the host it names: by made-up ones it could fill the operational log.
        about = shown if side == "server" else ""
        if self._told.is_new(side, client or "", about, cause):
            said = "; ".join(filter(None, CAUSES[cause].values()))
            notice.warning("tls_refused", f"TLS between {client} and {shown} was refused ({cause}): {said}")
