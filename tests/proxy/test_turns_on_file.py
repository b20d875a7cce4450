"""Calls of one turn of the event loop, and a log in a real file that fails at any point of it.

What always holds: nothing goes to the host before its decision is in the file; what was let go on has one outcome; a call
without a record is not sent; and what is in the file is a whole chain, however its writes failed.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import pytest
from by_hand import HELLO, TOKEN, PretendedTransport, Scene, turn

from brickscope.audit.verify import Verifier
from brickscope.log.chain import read_link, read_record
from http2_by_hand import Listener, Speaker, data, pseudo, reset
from log.written import open_writer, start, verify

AUTHORIZATION = (b"authorization", f"Bearer {TOKEN}".encode())
WRITE, CUT = os.write, os.ftruncate
FAULTS = ("none", "none", "no space", "a part", "a part stays")


class Turns:
    """One tunnel that speaks HTTP/2, and its log."""

    def __init__(self, seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random = random.Random(seed)
        self.fault = "none"
        self.scene = scene = Scene()
        self.writer = scene.gate.writer = open_writer(folder)
        scene.contexts.speaks = b"h2"
        start(self.writer)
        self.c, self.h = Speaker(is_client=True), Speaker(is_client=False)
        self.at_host, self.read = Listener(is_host=True), len(HELLO)
        self.next, self.answered, self.unrecorded = 1, set[int](), set[str]()
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "ftruncate", self.cut)
        send = PretendedTransport.write

        def watched(transport: PretendedTransport, sent: Any) -> None:
            send(transport, sent)
            self.hear()

        monkeypatch.setattr(PretendedTransport, "write", watched)

    def write(self, fd: int, lines: bytes) -> int:
        if fd != self.writer._file.fd or self.fault == "none":
            return WRITE(fd, lines)
        if self.fault == "no space":
            raise OSError(28, "No space left on device")
        return WRITE(fd, lines[: self.random.randrange(len(lines))])

    def cut(self, fd: int, size: int) -> None:
        if self.fault == "a part stays":
            raise OSError(1, "Operation not permitted")
        CUT(fd, size)

    def records(self, event: str) -> list[dict[str, Any]]:
        lines = self.writer.path.read_bytes().splitlines()
        found = [record for line in lines if read_link(line) and (record := read_record(line))]
        return [record for record in found if record["event"] == event]

    def hear(self) -> None:
        """What the host was sent has its decision in the file."""
        if not self.scene.hosts:
            return
        sent = self.scene.host.written[self.read :]
        self.read += len(sent)
        before = len(self.at_host.heads)
        list(self.at_host.hear(sent))
        new = [dict(heads[0])[b":path"].decode() for heads in list(self.at_host.heads.values())[before:]]
        allowed = [each["path"] for each in self.records("decision") if each["decision"] == "allow"] * bool(
            new
        )
        self.unrecorded |= set(new) - set(allowed)  # to raise here would be the tunnel's fault

    def step(self) -> None:
        """Something happens."""
        what = self.random.randrange(8)
        if what < 3:
            for _ in range(self.random.choice([1, 3, 20])):
                head = self.c.headers(self.next, [*pseudo(f"/ok/{self.next}", "PUT"), AUTHORIZATION])
                self.scene.client.receive(head + data(self.next, b"x", end=True))
                self.next += 2
        elif what == 3 and self.next > 1:
            self.scene.client.receive(reset(self.random.randrange(1, self.next, 2)))
        elif what < 6:
            for number in sorted(set(self.at_host.heads) - self.answered)[: self.random.randrange(20)]:
                self.answered.add(number)
                self.scene.host.receive(self.h.answer(number))
        else:
            self.fault = self.random.choice(FAULTS)

    async def run(self) -> None:
        scene = self.scene
        scene.install(asyncio.get_running_loop())
        scene.begin(HELLO, b"h2")
        await turn()
        scene.client.receive(self.c.hello)
        scene.host.receive(self.h.hello)
        for _ in range(40):
            for _ in range(self.random.choice([1, 2, 4])):
                asyncio.get_running_loop().call_soon(self.step)
            await turn(self.random.randrange(4))
        self.fault = "none"
        await turn()
        scene.tunnel.abort()
        await turn()


@pytest.mark.parametrize("seed", range(5))
def test_a_log_that_fails_within_a_turn(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(seed, tmp_path, monkeypatch)
    asyncio.run(turns.run())
    assert (turns.unrecorded, turns.scene.gate.tally.in_flight) == (set(), 0)
    turns.writer.close()
    outcomes = [each["decision_id"] for each in turns.records("outcome")]
    decisions = {each["decision_id"] for each in turns.records("decision")}
    assert len(turns.at_host.heads) > 10
    assert len(set(outcomes)) == len(outcomes)
    assert set(outcomes) <= decisions
    assert verify([turns.writer.path], Verifier()).findings == []
