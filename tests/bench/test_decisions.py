"""The decisions bench: right answers, and rule sets that are shared."""

from __future__ import annotations

import pytest

from brickscope.core.rule import RuleTable, parse_rule
from lab.bench.decisions import Size, WrongAnswer, assert_shared, check, measure_sharing, prepare
from lab.bench.workload import calls, compile_policy, concrete, rule_texts, token


@pytest.mark.parametrize(
    "size", [Size(10, 30, 10), Size(1, 300, 1), Size(1, 3_000, 1), Size(1_000, 30, 20)], ids=str
)
def test_every_decision_is_the_known_one(size: Size) -> None:
    prepared = prepare(size, 400)
    assert {call.allowed for call in prepared.mix} == {True, False}
    check(prepared)


def test_a_wrong_decision_stops_the_bench() -> None:
    prepared = prepare(Size(1, 30, 1), 20)
    lies = [call._replace(allowed=not call.allowed) for call in prepared.mix]
    with pytest.raises(WrongAnswer):
        check(prepared._replace(mix=lies))


def test_many_tokens_are_met_not_the_first_few() -> None:
    tokens = [token(index) for index in range(10_000)]
    mix = calls(tokens, [rule_texts(30)], 1_000, 0)
    assert len({call.token for call in mix}) == 1_000


def test_rules_of_a_workload_differ_and_each_matches_its_own_call() -> None:
    texts = rule_texts(2_000)
    assert len(set(texts)) == len(texts)
    for text in texts:
        method, path = concrete(text, 1)
        assert RuleTable([parse_rule(text)]).match(method, tuple(path[1:].split("/"))) is not None


def test_tokens_share_compiled_rule_sets() -> None:
    policy = compile_policy(
        [token(index) for index in range(100)], [rule_texts(30), rule_texts(30, first=30)]
    )
    assert_shared(policy, 2)
    with pytest.raises(AssertionError, match="100 tokens hold 2 rule tables, not 1"):
        assert_shared(policy, 1)


def test_one_more_token_weighs_less_than_a_rule_set() -> None:
    one_more = measure_sharing()[-1]
    assert one_more.spread.value < 1_000
