"""The judgement of a soak: whatever must not be is found, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.soak.call import HANG, NO_RULE, READ, UNKNOWN, Call, Kind
from lab.soak.client import Answer
from lab.soak.ledger import RECOVERY_S, Entry, Judgement, Ledger, Window, first_of

OK = Answer(200, "", False)
REFUSED = Answer(403, "no_rule_matches", False)
NO_LOG = Answer(403, "audit_unavailable", False)
NOW = 1000.0


class Case:
    """Entries, what reached the workspace and what the log says, and the judgement on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger()
        self.reached: list[str] = []
        self.records: list[dict[str, str]] = []

    def call(self, kind: Kind, number: int, answer: Answer | None, at: float = NOW) -> Call:
        call = Call(kind, number)
        self.ledger.entries.append(Entry(call, at, at + 0.1, answer, "" if answer else "TimeoutError"))
        return call

    def reach(self, call: Call) -> None:
        self.reached.append(f"{call.kind.method} {call.path}\n")

    def decide(self, call: Call, decision: str, reason: str) -> None:
        self.records.append({"event": "decision", "path": call.path, "decision": decision, "reason": reason})

    def judge(self) -> Judgement:
        (self.folder / "reached").write_text("".join(self.reached))
        lines = [json.dumps(record, separators=(",", ":")) for record in self.records]
        (self.folder / "log").write_text("\n".join([*lines, '{"event":"decision","torn']))
        return self.ledger.judge(self.folder / "reached", [self.folder / "log"])


def allowed(case: Case) -> None:
    call = case.call(READ, 1, OK)
    case.reach(call)
    case.decide(call, "allow", "allowed_by_rule")


def denied(case: Case) -> None:
    case.decide(case.call(NO_RULE, 2, REFUSED), "deny", "no_rule_matches")


def given_up(case: Case) -> None:
    call = case.call(HANG, 3, None)
    case.reach(call)
    case.decide(call, "allow", "allowed_by_rule")


def broken_in_a_window(case: Case) -> None:
    case.ledger.windows.append(Window("killed", NOW - 2, NOW - 1, breaks=True))
    case.call(READ, 4, None)


def denied_while_the_log_was_broken(case: Case) -> None:
    case.ledger.windows.append(Window("disk full", NOW - 1, NOW + 1, breaks=False, denies=True))
    case.call(READ, 5, NO_LOG)


@pytest.mark.parametrize(
    "arrange", [allowed, denied, given_up, broken_in_a_window, denied_while_the_log_was_broken]
)
def test_what_may_be_is_not_complained_of(arrange: Callable[[Case], None], tmp_path: Path) -> None:
    case = Case(tmp_path)
    arrange(case)
    judged = case.judge()
    assert (judged.wrong, judged.lost) == ([], [])
    assert judged.calls == 1


def leaked(case: Case) -> None:
    call = case.call(NO_RULE, 1, REFUSED)
    case.decide(call, "deny", "no_rule_matches")
    case.reach(call)


def sent_twice(case: Case) -> None:
    call = case.call(READ, 1, OK)
    case.decide(call, "allow", "allowed_by_rule")
    case.reach(call)
    case.reach(call)


def let_through(case: Case) -> None:
    case.decide(case.call(UNKNOWN, 1, OK), "deny", "unknown_token")


def refused_wrongly(case: Case) -> None:
    case.decide(case.call(READ, 1, REFUSED), "allow", "allowed_by_rule")


def another_reason(case: Case) -> None:
    call = case.call(UNKNOWN, 1, Answer(403, "unknown_token", False))
    case.decide(call, "deny", "no_rule_matches")


def broken_for_nothing(case: Case) -> None:
    case.decide(case.call(READ, 1, None), "allow", "allowed_by_rule")


def broken_too_late(case: Case) -> None:
    end = NOW - RECOVERY_S - 1
    case.ledger.windows.append(Window("killed", end - 1, end, breaks=True))
    case.decide(case.call(READ, 1, None), "allow", "allowed_by_rule")


def broken_by_a_harmless_fault(case: Case) -> None:
    case.ledger.windows.append(Window("policy edited", NOW - 1, NOW + 1, breaks=False))
    case.decide(case.call(READ, 1, None), "allow", "allowed_by_rule")


def bad_gateway(case: Case) -> None:
    case.decide(case.call(READ, 1, Answer(502, "", False)), "allow", "allowed_by_rule")


def denied_for_a_log_that_was_not_broken(case: Case) -> None:
    case.call(READ, 1, NO_LOG)


def decided_twice(case: Case) -> None:
    call = case.call(READ, 1, OK)
    case.reach(call)
    case.decide(call, "allow", "allowed_by_rule")
    case.decide(call, "allow", "allowed_by_rule")


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        (leaked, "reached the workspace"),
        (sent_twice, "2 times"),
        (let_through, "was answered 200"),
        (refused_wrongly, "was answered 403"),
        (another_reason, "was decided as no_rule_matches"),
        (broken_for_nothing, "broke: TimeoutError"),
        (broken_too_late, "broke: TimeoutError"),
        (broken_by_a_harmless_fault, "broke: TimeoutError"),
        (bad_gateway, "was answered 502"),
        (denied_for_a_log_that_was_not_broken, "that was not broken"),
        (decided_twice, "has 2 decisions"),
    ],
)
def test_what_must_not_be_is_found(arrange: Callable[[Case], None], says: str, tmp_path: Path) -> None:
    case = Case(tmp_path)
    arrange(case)
    judged = case.judge()
    assert [each for each in judged.wrong if says in each], judged.wrong
    assert not judged.lost


def answered_without_a_record(case: Case) -> None:
    case.call(NO_RULE, 1, REFUSED)


def forwarded_without_a_record(case: Case) -> None:
    case.ledger.windows.append(Window("killed", NOW - 1, NOW + 1, breaks=True))
    case.reach(case.call(READ, 1, None))


def forwarded_without_an_entry_or_a_record(case: Case) -> None:
    case.reach(Call(READ, 77))


@pytest.mark.parametrize(
    "arrange", [answered_without_a_record, forwarded_without_a_record, forwarded_without_an_entry_or_a_record]
)
def test_a_missing_record_is_found(arrange: Callable[[Case], None], tmp_path: Path) -> None:
    case = Case(tmp_path)
    arrange(case)
    judged = case.judge()
    assert len(judged.lost) == 1
    assert not judged.wrong


def test_a_long_list_is_cut() -> None:
    assert first_of(["a"] * 12, 10)[-2:] == ["a", "and 2 more"]
    assert first_of(["a"], 10) == ["a"]
