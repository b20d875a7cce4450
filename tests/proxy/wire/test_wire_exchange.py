"""The two tables: every state with every step."""

from __future__ import annotations

import pytest
from http1_line import DOOR

from brickscope.proxy.wire.events import Fault, Side
from brickscope.proxy.wire.exchange import ANSWER, REQUEST, Answering, Asking, Exchange, Step, WrongStep
from brickscope.proxy.wire.head import Head, HeadScanner


def exchange() -> Exchange:
    head: Head = HeadScanner(DOOR).irregular()
    return Exchange(head)


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", Asking)
def test_a_request_takes_the_steps_of_its_table_and_no_other(state: Asking, step: Step) -> None:
    each = exchange()
    each.asking = state
    if (state, step) in REQUEST:
        each.say(step)
        assert each.asking is REQUEST[state, step]
        assert each.fault is None
    else:
        with pytest.raises(WrongStep):
            each.say(step)
        assert (each.asking, each.answering) == (Asking.BROKEN, Answering.BROKEN)
        assert each.fault is Fault.INSIDE


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", Answering)
def test_an_answer_takes_the_steps_of_its_table_and_no_other(state: Answering, step: Step) -> None:
    each = exchange()
    each.answering = state
    if (state, step) in ANSWER:
        each.hear(step)
        assert each.answering is ANSWER[state, step]
        assert each.fault is None
    else:
        with pytest.raises(WrongStep):
            each.hear(step)
        assert (each.asking, each.answering) == (Asking.BROKEN, Answering.BROKEN)
        assert each.fault is Fault.INSIDE


@pytest.mark.parametrize("fault", Fault)
def test_what_broke_stays_broken_and_keeps_its_first_fault(fault: Fault) -> None:
    each = exchange()
    each.broke(fault, "first")
    each.broke(Fault.CUT, "second")
    assert (each.fault, each.detail) == (fault, "first")
    for step in Step:
        with pytest.raises(WrongStep):
            each.say(step)
    assert each.fault is fault


def test_every_state_of_the_tables_can_be_reached_and_only_ends_are_left_by_nothing() -> None:
    assert {Asking.JUDGED, *REQUEST.values()} == set(Asking) - {Asking.BROKEN}
    assert {Answering.UNASKED, *ANSWER.values()} == set(Answering) - {Answering.BROKEN}
    assert set(Asking) - {state for state, _ in REQUEST} == {Asking.ENDED, Asking.BROKEN}
    assert set(Answering) - {state for state, _ in ANSWER} == {Answering.ENDED, Answering.BROKEN}


def test_every_fault_says_whose_it_is() -> None:
    assert {fault.side for fault in Fault} == set(Side)
    assert str(Fault.HOST_LEFT) == "the host left before its answer was complete"


def test_a_state_is_told_in_one_line() -> None:
    assert repr(exchange()) == "<JUDGED 0, UNASKED 0>"
