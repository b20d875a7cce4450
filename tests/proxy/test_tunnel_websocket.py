"""A tunnel whose call becomes a websocket: back-pressure, the second look while it is open, and its end on record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from by_hand import END, HELLO, HOST, TOKEN, Scene, head, play, turn

from brickscope.catalog.catalog import operation_table
from brickscope.core.entrusted import Entrusted, Kind, Source
from brickscope.core.fingerprint import fingerprint
from brickscope.core.operation import OperationRule, OperationRules
from brickscope.core.pending import NotYetKnown
from brickscope.core.placeholder import make_placeholder
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.rule import RuleTable
from brickscope.proxy import gate as gate_module
from brickscope.proxy.deadlines import Limits
from brickscope.proxy.flow import KEPT, LINGER
from brickscope.proxy.review import EVERY
from brickscope.proxy.wire.upgrade import accept_of

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
SSH = "/driver-proxy-api/o/0/0123-abc/7772/ssh?id=1"
ASK = head(
    SSH,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY.decode()}",
)
AGREE = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: " + accept_of(KEY) + b"\r\n\r\n"
)
REAL = "dapi" + "ca1ab1e5" * 4
NAME = f"sha256:{sha256(TOKEN.encode()).hexdigest()}"


def policy(
    *names: str, revision: str = "r", mode: Mode = Mode.ENFORCE, expires: float | None = None
) -> Policy:
    rules = {name: OperationRules([OperationRule(name, name)]) for name in names}
    rule_set = RuleSet("some", RuleTable(()), RuleTable(()), operations=rules)
    subject = Subject("ci", rule_set, expires=expires)
    return Policy({NAME: subject}, {"some": rule_set}, mode, revision, catalogue=operation_table())


async def opened(scene: Scene, known: Policy | None = None) -> None:
    scene.gate.swap(known or policy("driver_proxy.ssh"))
    scene.begin()
    await turn()
    scene.client.receive(ASK)
    await turn()
    scene.host.receive(AGREE)
    await turn()
    assert scene.client.written == HELLO + AGREE
    assert scene.host.written == HELLO + ASK


def outcomes(scene: Scene) -> list[dict[str, Any]]:
    wanted = ("status", "request_bytes", "response_bytes", "error")
    return [{name: each.get(name) for name in wanted} for each in scene.log.of("outcome")]


def one(sent: int = 0, received: int = 0, error: str | None = None) -> list[dict[str, Any]]:
    return [{"status": 101, "request_bytes": sent, "response_bytes": received, "error": error}]


def test_it_is_recorded_before_it_leaves_and_once_when_it_ends() -> None:
    async def story(scene: Scene) -> None:
        await opened(scene)
        (decision,) = scene.log.records
        assert (decision["event"], decision["method"], decision["operation"], decision["decision"]) == (
            "decision",
            "WEBSOCKET",
            "driver_proxy.ssh",
            "allow",
        )
        tally = scene.gate.tally
        assert (tally.in_flight, tally.websockets) == (1, 1)
        scene.client.receive(b"\x82\x80abcd" + b"x" * 100)
        scene.host.receive(b"\x82\x02hi")
        await turn()
        assert scene.host.written.endswith(b"x" * 100)
        scene.host.receive(END)
        await turn()
        assert scene.client.eof_written
        assert (tally.in_flight, tally.websockets) == (0, 0)

    scene = play(story)
    assert outcomes(scene) == one(106, 4)
    tally = scene.gate.tally
    assert (tally.outcomes["1xx"], tally.bytes) == (1, {"request": 106, "response": 4})
    assert not any(tally.call_s.counts), "hours of a shell are no time that a call took"


@pytest.mark.parametrize("mode", Mode)
def test_without_a_rule_nothing_is_dialled_in_any_mode(mode: Mode) -> None:
    async def story(scene: Scene) -> None:
        scene.gate.swap(policy("driver_proxy.request", mode=mode))
        scene.begin()
        scene.client.receive(ASK)
        await turn()
        assert b"403 Forbidden" in scene.client.written

    scene = play(story)
    assert scene.dials == []
    assert [(each["enforced"], each["reason"]) for each in scene.log.of("decision")] == [
        (True, "no_rule_matches")
    ]


def test_neither_side_is_read_while_the_other_takes_nothing() -> None:
    async def story(scene: Scene) -> None:
        await opened(scene)
        scene.host.fill(True)
        assert scene.client.paused
        assert not scene.host.paused
        assert not scene.client.receive(b"more")
        scene.host.fill(False)
        assert not scene.client.paused
        scene.client.fill(True)
        assert scene.host.paused
        assert not scene.client.paused
        for _ in range(64):
            assert scene.client.receive(b"x" * 65_536)
        assert scene.tunnel._core is not None
        assert scene.tunnel._core.ahead == 0, "nothing is kept"
        assert KEPT == 65_536
        scene.client.fill(False)
        assert scene.host.receive(b"\x81\x02hi")

    play(story)


def another(**changed: Any) -> Policy:
    return policy("driver_proxy.ssh", revision="s", **changed)


REVOKED = {
    "the rule is gone": (policy("driver_proxy.request", revision="s"), "no_rule_matches"),
    "the subject is gone": (another()._replace(tokens={}), "unknown_token"),
    "the subject has expired": (another(expires=1.0), "expired"),
    "the rule is gone, in monitor mode": (policy(mode=Mode.MONITOR), "no_rule_matches"),
    "the subject is gone, in monitor mode": (another(mode=Mode.MONITOR)._replace(tokens={}), "unknown_token"),
}


@pytest.mark.parametrize(("new", "reason"), REVOKED.values(), ids=REVOKED)
def test_another_policy_that_does_not_allow_it_ends_it(new: Policy, reason: str) -> None:
    async def story(scene: Scene) -> None:
        await opened(scene)
        scene.tunnel.look(1.0)
        scene.gate.swap(new)
        scene.tunnel.look(2.0)
        scene.client.receive(b"not any more")
        await turn()
        assert not scene.host.written.endswith(b"not any more")
        assert scene.client.eof_written, "it ends in TLS, and by no reset"
        assert scene.client.written.endswith(END)
        assert scene.host.closed == "closed"

    scene = play(story)
    (end,) = outcomes(scene)
    assert end["error"].startswith(f"it is no longer allowed: {reason}, ")
    assert scene.log.of("outcome")[0]["policy_revision"] == new.revision


def test_an_edit_while_the_hosts_agreement_is_due_ends_it_at_the_first_look() -> None:
    """A host that takes its time had it open for as long as nothing but time is looked at."""

    async def story(scene: Scene) -> None:
        scene.gate.swap(policy("driver_proxy.ssh"))
        scene.begin()
        await turn()
        scene.client.receive(ASK)
        await turn()
        scene.gate.swap(another()._replace(tokens={}))
        scene.host.receive(AGREE)
        scene.tunnel.look(1.0)
        await turn()
        assert scene.client.eof_written

    (end,) = outcomes(play(story))
    assert end["error"].startswith("it is no longer allowed: unknown_token, ")


def held(credential: str | None = "c", revision: str = "r", **changed: Any) -> Policy:
    """The policy, its subject behind a placeholder."""
    known = policy("driver_proxy.ssh", revision=revision)
    subject = known.tokens[NAME]._replace(credential=credential, **changed)
    return known._replace(tokens={fingerprint(HELD.encode()): subject})


HELD = make_placeholder(bytes(32))
FILE = Entrusted("c", Kind.TOKEN, Source(environment="TOKEN_OF_A_TEST"), frozenset({HOST}))
TAKEN: dict[str, tuple[Policy, Entrusted | None, str | None]] = {
    "nothing": (held(revision="s"), FILE, None),
    "the placeholder": (held(revision="s")._replace(tokens={}), FILE, "unknown_placeholder"),
    "the name, by the policy": (held("d", "s"), FILE, "credential_not_allowed"),
    "the name, by the operator": (held(), None, "credential_not_allowed"),
    "the workspace, by the operator": (
        held(),
        FILE._replace(workspaces=frozenset({"dbc-b.cloud.databricks.com"})),
        "credential_not_allowed",
    ),
    "the source": (held(), FILE._replace(source=Source(command=("/no/such/program",))), None),
}


@pytest.mark.parametrize("taken", TAKEN)
def test_behind_a_placeholder_it_ends_when_that_or_its_credential_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    monkeypatch.setenv("TOKEN_OF_A_TEST", REAL)
    new, file, reason = TAKEN[taken]

    async def story(scene: Scene) -> None:
        store = scene.gate.credentials
        store.swap({"c": FILE})
        scene.gate.swap(held())
        scene.begin()
        await turn()
        scene.client.receive(ASK.replace(TOKEN.encode(), HELD.encode()))
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "credential"))
        await turn()
        assert scene.host.written == HELLO + ASK.replace(TOKEN.encode(), REAL.encode())
        scene.host.receive(AGREE)
        await turn()
        scene.tunnel.look(1.0)
        if new.revision != "r":
            scene.gate.swap(new)
        else:
            store.swap({} if file is None else {"c": file})
        scene.tunnel.look(2.0)
        await turn()
        assert scene.client.eof_written is (reason is not None)

    ended = [str(each["error"]).split(", ")[0] for each in outcomes(play(story))]
    assert ended == ([] if reason is None else [f"it is no longer allowed: {reason}"])


def test_another_policy_that_allows_it_leaves_it_open() -> None:
    async def story(scene: Scene) -> None:
        await opened(scene)
        for number in range(5):
            scene.gate.swap(policy("driver_proxy.ssh", revision=f"r{number}"))
            scene.tunnel.look(float(number))
        scene.client.receive(b"still")
        await turn()
        assert scene.host.written.endswith(b"still")
        assert [each["event"] for each in scene.log.records] == ["decision"]

    play(story)


def test_a_subject_that_expires_while_it_is_open_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("brickscope.proxy.gate.time.time", lambda: clock[0])

    async def story(scene: Scene) -> None:
        await opened(scene, policy("driver_proxy.ssh", expires=1050.0))
        scene.tunnel.look(0.0)
        clock[0] = 1049.0
        scene.tunnel.look(EVERY)
        assert outcomes(scene) == []
        clock[0] = 1050.0
        scene.tunnel.look(EVERY + 1)
        assert outcomes(scene) == [], "time alone is looked at now and then"
        scene.tunnel.look(EVERY * 2)
        await turn()
        assert outcomes(scene)[0]["error"].startswith("it is no longer allowed: expired, ")

    play(story)


def test_what_has_to_be_fetched_first_is_waited_for_and_doubt_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(scene: Scene) -> None:
        await opened(scene)
        asked: list[Any] = []
        directory: Any = scene.gate.directory

        async def learn(unknown: NotYetKnown) -> None:
            asked.append(unknown.url)

        def judge_again(*_: Any) -> Any:
            raise NotYetKnown("https://keys.example")

        directory.learn = learn
        monkeypatch.setattr(scene.gate, "judge_again", judge_again)
        scene.gate.swap(policy("driver_proxy.ssh", revision="s"))
        scene.tunnel.look(1.0)
        scene.tunnel.look(2.0)
        assert outcomes(scene) == []
        await turn()
        assert asked == ["https://keys.example"]
        assert outcomes(scene)[0]["error"].startswith("it is no longer allowed: internal_error")

    play(story)


def test_a_second_look_that_fails_inside_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a secret")

    async def story(scene: Scene) -> None:
        await opened(scene)
        monkeypatch.setattr(gate_module, "decide", fail)
        scene.gate.swap(policy("driver_proxy.ssh", revision="s"))
        scene.tunnel.look(1.0)
        await turn()

    (end,) = outcomes(play(story))
    assert end["error"] == "it is no longer allowed: internal_error, RuntimeError inside the proxy"


def test_one_in_which_nothing_moves_ends_after_its_own_time() -> None:
    limits = Limits(10.0, 30.0, 20.0, 20.0, 100.0)

    async def story(scene: Scene) -> None:
        await opened(scene)
        for now in (0.0, 99.0):
            scene.tunnel.look(now)
        scene.client.receive(b"x")
        for now in (100.0, 199.0):
            scene.tunnel.look(now)
        assert outcomes(scene) == []
        scene.tunnel.look(200.0)
        await turn()
        assert scene.client.eof_written

    scene = play(story, Scene(limits=limits))
    assert outcomes(scene) == one(1, 0, "nothing has moved for too long")
    assert [(each["cause"], each["seconds"]) for each in scene.log.of("timeout")] == [("websocket", 100.0)]


def test_the_end_of_the_proxy_ends_it_in_tls_with_a_record() -> None:
    async def story(scene: Scene) -> None:
        await opened(scene)
        scene.gate.draining = True
        assert await scene.tunnel.is_busy(late=True)
        scene.tunnel.close_idle()
        assert outcomes(scene) == []
        scene.tunnel.abort()
        await turn()
        assert scene.client.written == HELLO + AGREE + END
        assert scene.client.eof_written
        assert not scene.client.closed, "the last bytes are not cut off"
        scene.client.receive_end()
        await turn()
        assert scene.ended == 1

    assert outcomes(play(story)) == one(error="the proxy stopped")


def test_a_client_that_takes_the_end_and_stays_is_cut_off() -> None:
    async def story(scene: Scene) -> None:
        await opened(scene)
        scene.host.receive(END)
        await turn()
        for now in (0.0, LINGER):
            scene.tunnel.look(now)
        await turn()
        assert scene.client.closed == "aborted"

    assert outcomes(play(story)) == one()


ENDS: dict[str, tuple[Callable[[Scene], Any], str | None]] = {
    "the client says goodbye": (lambda scene: scene.client.receive(END), None),
    "the client's TCP ends": (lambda scene: scene.client.receive_end(), None),
    "the client is gone": (lambda scene: scene.client.cut(), None),
    "the host says goodbye": (lambda scene: scene.host.receive(END), None),
    "the host's TCP ends": (
        lambda scene: scene.host.receive_end(),
        "the host left before its answer was complete",
    ),
    "the host is gone": (lambda scene: scene.host.cut(), "the host left before its answer was complete"),
    "something raises": (lambda scene: scene.tunnel.fail_closed(), "the proxy failed inside"),
}


@pytest.mark.parametrize("name", ENDS)
def test_however_it_ends_both_sides_end_and_one_record_says_how(name: str) -> None:
    end, error = ENDS[name]

    async def story(scene: Scene) -> None:
        await opened(scene)
        end(scene)
        await turn()
        assert scene.host.closed
        assert scene.client.closed or scene.client.eof_written
        scene.tunnel.look(0.0)
        scene.gate.swap(policy(revision="s"))
        scene.tunnel.look(EVERY)
        await asyncio.sleep(0)

    assert outcomes(play(story)) == one(error=error)
