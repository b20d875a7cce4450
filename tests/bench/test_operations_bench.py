"""The operations bench measures calls that really are decided by name."""

from __future__ import annotations

from brickscope.catalog.catalog import load_catalog
from brickscope.core.decide import decide
from lab.bench import operations


def test_every_call_of_the_bench_is_allowed_by_its_name() -> None:
    names = list(load_catalog().operations)
    policy = operations._policy(names)
    for name in names:
        # Decided by grants; only of apps that are named; by the messages in a body.
        if not name.startswith(("oidc.", "apps.request", "apps.stream_logs", "mcp.")):
            decision = decide(policy, operations._request(name), operations.CLIENT, operations.NOW)
            assert (decision.allow, decision.operation) == (True, name)


def test_every_row_is_measured() -> None:
    assert len(operations.measure(quick=True, say=lambda text: None)) == 11


def test_the_judged_bodies_of_the_bench_are_held_against_all_their_rules() -> None:
    found = operations.judging(1, lambda text: None)
    assert [each.name for each in found] == [
        "judging 1 MB x 20 rules, to strictly parsing it",
        "judging 40,000 ids x 20 rules of 100, to strictly parsing it",
    ]
    assert all(each.bound == operations.JUDGING for each in found)
