"""Whether a websocket that is open is still allowed: its request, judged again.

A call is judged once, as it is over soon. A websocket may be open for days, after its subject's end, or under a policy
that no longer knows it; so it is asked about again as soon as another policy or operator's file is in force, and every
``EVERY`` seconds. What can't be judged then is not allowed.
"""

import asyncio
from collections.abc import Callable, Collection

from brickscope.core.decision import Decision
from brickscope.core.pending import NotYetKnown

from .gate import Gate
from .wire.events import Event, Fault, Phase
from .wire.exchange import Exchange
from .wire.websocket import WebSocket

EVERY = 10.0
"""Seconds after which time alone may have changed the answer: a token, subject or grant has expired."""


class Review:
    """Of one websocket. ``core``: its protocol."""

    def __init__(
        self, gate: Gate, exchange: Exchange, client: str, carry_out: Callable[[list[Event]], None]
    ) -> None:
        """``exchange``: the call that has become one. ``client``: its address. ``carry_out``: takes what is to be done."""
        gate.tally.count("websockets")
        self.core = WebSocket(exchange)
        self._gate = gate
        self._exchange = exchange
        self._client = client
        self._carry_out = carry_out
        self._judged_by: object = None
        """The policy and the operator's file; none yet, as they may have changed while the host's agreement was due."""
        self._looked = 0.0
        self._task: asyncio.Task[None] | None = None

    def check(self, now: float) -> None:
        """Judge again, if it is time to. ``now``: monotonic seconds."""
        if self.core.phase is Phase.OVER or (self._task is not None and not self._task.done()):
            return
        present = self._gate.policy, self._gate.credentials.known
        if present != self._judged_by or now - self._looked >= EVERY:
            self._judged_by, self._looked = present, now
            self._ask(())

    def _ask(self, settled: Collection[str]) -> None:
        cleared = self._exchange.cleared
        assert cleared is not None
        assert cleared.websocket is not None
        try:
            decision = self._gate.judge_again(cleared.websocket, self._client, cleared.credential, settled)
        except NotYetKnown as unknown:
            if unknown.url not in settled:
                learn = self._learn(unknown, settled)
                self._task = asyncio.get_running_loop().create_task(learn, name="review")
                return
            decision = self._gate.internal(unknown)
        if not decision.allow:
            self._revoke(decision)

    def _revoke(self, decision: Decision) -> None:
        self._carry_out(self.core.break_off(Fault.REVOKED, f"{decision.reason}, {decision.detail}"))

    async def _learn(self, unknown: NotYetKnown, settled: Collection[str]) -> None:
        try:
            await self._gate.directory.learn(unknown)
            self._ask({*settled, unknown.url})
        except Exception as error:
            self._revoke(self._gate.internal(error))
