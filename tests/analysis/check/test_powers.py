"""The facts about powers: complete over the catalogue, and true to its names and parameters."""

from __future__ import annotations

import pytest

from brickscope.analysis.check.code import codes
from brickscope.analysis.check.power import expand, grounds, powers
from brickscope.catalog.catalog import load_catalog
from brickscope.shipped import table

POWERS = table("brickscope.analysis.check", "powers.yaml")
GROUPS = [(name, group) for name, entry in POWERS["powers"].items() for group in entry["groups"]]
# They grant, run or return something, were looked at, and let nobody become more.
HARMLESS = {name for group in POWERS["harmless"] for name in expand(group["operations"])}


def test_every_operation_that_grants_runs_or_returns_a_secret_was_looked_at() -> None:
    for operation in load_catalog().operations.values():
        if operation.kind in ("grant", "secret", "execute") or operation.risk:
            assert operation.name in grounds() or operation.name in HARMLESS, operation.name


def test_no_operation_is_both_a_power_and_harmless() -> None:
    assert not HARMLESS & set(grounds())


def test_no_power_is_an_operation_that_only_reads() -> None:
    assert not [name for name in grounds() if load_catalog().operations[name].kind == "read"]


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_parameters_and_powers_that_a_group_names_are_there(name: str, group: dict[str, object]) -> None:
    assert set(group) <= {
        "operations",
        "why",
        "source",
        "limit",
        "enough",
        "limited",
        "unless",
        "carried",
        "sends",
        "opens",
    }
    assert set(group.get("unless", ())) <= set(powers())  # type: ignore[call-overload]
    assert ("limit" in group) is ("limited" in group)
    assert str(group["why"]).endswith(".")
    assert group["source"]
    operations = [load_catalog().operations[each] for each in expand(group["operations"])]  # type: ignore[arg-type]
    limits = [*group.get("limit", ()), *filter(None, [group.get("carried")])]  # type: ignore[misc]
    for operation in operations:
        assert all(operation.place(parameter) for parameter in limits), operation.name
    for parameter in group.get("sends", {}):  # type: ignore[attr-defined]
        assert any(operation.place(parameter) for operation in operations), parameter


def test_every_power_counts_in_some_finding_and_every_finding_names_powers() -> None:
    named = {power for code in codes().values() for part in code.needs for power in part}
    assert named == set(powers())
    for code in codes().values():
        assert set(code.limits) <= {power for part in code.needs for power in part}
        assert not code.limits or len(code.needs) > 1


def test_a_name_that_is_no_operation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"jobs\.run_nwo"):
        list(expand(["jobs.run_nwo"]))
    with pytest.raises(ValueError, match=r"jbos"):
        list(expand(["jbos.*"]))
