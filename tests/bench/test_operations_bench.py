"""The operations bench measures calls that really are decided by name."""

from __future__ import annotations

from brickscope.catalog.catalog import load_catalog
from brickscope.core.decide import decide
from lab.bench import operations


def test_every_call_of_the_bench_is_allowed_by_its_name() -> None:
    names = list(load_catalog().operations)
    policy = operations._policy(names)
    for name in names:
        if not name.startswith("oidc."):  # decided by grants
            decision = decide(policy, operations._request(name), operations.CLIENT, operations.NOW)
            assert (decision.allow, decision.operation) == (True, name)


def test_every_row_is_measured() -> None:
    assert len(operations.measure(quick=True, say=lambda text: None)) == 9
