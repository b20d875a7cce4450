"""Whatever a policy says: check ends, and claims nothing that the decision function does not allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from analysis.check.policies import NOW
from brickscope.analysis.call import read_call
from brickscope.analysis.check.checker import check
from brickscope.analysis.check.finding import Finding
from brickscope.analysis.judge import find, judge
from brickscope.catalog.catalog import CLASSES, load_catalog
from brickscope.core.policy import Policy
from brickscope.policy.load import load_policy
from brickscope.policy.operations import presets
from brickscope.policy.problem import PolicyError
from reaching import reaching

_OPERATIONS = [each for each in load_catalog().operations.values() if each.name != "oidc.token"]
_SERVICES = sorted({each.service for each in _OPERATIONS} - {"oidc"})
_TESTS = st.sampled_from([1012, [1012, 7], {"prefix": "a"}, {"absent": True}, {"min": 1, "max": 9}])


@st.composite
def _bound(draw: st.DrawFn) -> Any:
    operation = draw(st.sampled_from(_OPERATIONS))
    names = [*operation.path, *operation.query, *operation.body]
    chosen = draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
    rule: dict[str, Any] = {"operation": operation.name}
    if chosen:
        rule["where"] = {name: draw(_TESTS) for name in chosen}
    return rule


_PATHS = [call for each in _OPERATIONS for call in each.calls if "=" not in call and not each.is_websocket]
_RULE = st.one_of(
    st.sampled_from([each.name for each in _OPERATIONS]),
    st.sampled_from([f"{service}.*" for service in _SERVICES]),
    st.sampled_from(_PATHS),
    st.sampled_from(["GET /api/2.0/{path...}", "PUT /api/2.0/permissions/{a}/{b}", "POST /api/{v}/jobs/{x}"]),
    st.builds(
        lambda service, kind: {"service": service, "class": kind},
        st.sampled_from(_SERVICES),
        st.sampled_from(CLASSES),
    ),
    st.fixed_dictionaries({"preset": st.sampled_from(sorted(presets()))}),
    _bound(),
)


@reaching(0.2, st.lists(_RULE, min_size=1, max_size=6), st.lists(_RULE, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_proof_is_allowed(
    tmp_path_factory: pytest.TempPathFactory, allow: list[Any], deny: list[Any]
) -> bool:
    file = tmp_path_factory.mktemp("p") / "policy.yaml"
    token = {"fingerprint": f"sha256:{'a' * 64}", "rule_set": "r"}
    content = {"version": 1, "tokens": {"t": token}, "rule_sets": {"r": {"allow": allow, "deny": deny}}}
    file.write_text(json.dumps(content))
    try:
        loaded = load_policy(file, NOW)
    except PolicyError:
        return False  # some paths of the catalogue are no rules, and some rules contradict each other
    found = check(loaded, NOW)
    assert found == check(loaded, NOW)
    for finding in found:
        _assert_proved(loaded.policy, finding)
    return any(finding.proofs for finding in found)


def _assert_proved(policy: Policy, finding: Finding) -> None:
    for proof in finding.proofs:
        call = read_call(f"{proof.method} {proof.url} {proof.body}".strip())
        decision = judge(policy, find(policy, proof.subject or ""), call, NOW)
        assert decision.allow
        assert decision.operation == proof.operation
