"""What a rule set reaches: held against what the proxy decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.catalog.catalog import call_rules, load_catalog
from brickscope.catalog.reach import reach
from brickscope.core.decide import decide_for
from brickscope.core.policy import RuleSet
from brickscope.core.request import read_request
from brickscope.core.template import Literal, Segment
from brickscope.policy.load import load_policy
from core.wire import h1

HEAD = f"""\
version: 1
tokens:
  ci: {{fingerprint: "sha256:{"0" * 64}", rule_set: ci}}
rule_sets:
  ci:
"""


def _rule_set(tmp_path: Path, allow: str, deny: str = "[]") -> RuleSet:
    (tmp_path / "policy.yaml").write_text(f"{HEAD}    allow: {allow}\n    deny: {deny}\n")
    return load_policy(tmp_path, 0).policy.rule_sets["ci"]


@pytest.mark.parametrize(
    ("allow", "deny", "reached"),
    [
        ("[jobs.list]", "[]", {"jobs.list": "jobs.list"}),
        (
            "[GET /api/2.1/unity-catalog/catalogs]",
            "[]",
            {"catalogs.list": "GET /api/2.1/unity-catalog/catalogs"},
        ),
        (
            "['GET /api/2.1/unity-catalog/tables/{name}']",
            "[]",
            {"tables.get": "GET /api/2.1/unity-catalog/tables/{name}"},
        ),
        (
            "[GET /api/2.1/unity-catalog/tables/main.sales.orders]",
            "[]",
            {"tables.get": "GET /api/2.1/unity-catalog/tables/main.sales.orders"},
        ),
        (
            "['GET /api/2.0/fs/files/Volumes/main/{path...}']",
            "[]",
            {"files.download": "GET /api/2.0/fs/files/Volumes/main/{path...}"},
        ),
        ("[jobs.list, jobs.get]", "['GET /api/{rest...}', 'GET /ajax-api/{rest...}']", {}),
        # A deny rule for some objects leaves the others.
        ("[jobs.delete]", "[{operation: jobs.delete, where: {job_id: 7}}]", {"jobs.delete": "jobs.delete"}),
        # The literal path is another operation than the variable one, as the proxy has it.
        (
            "[GET /api/2.0/permissions/authorization/tokens]",
            "[]",
            {"token_management.get_permissions": "GET /api/2.0/permissions/authorization/tokens"},
        ),
    ],
)
def test_a_rule_set_reaches(allow: str, deny: str, reached: dict[str, str], tmp_path: Path) -> None:
    assert reach(_rule_set(tmp_path, allow, deny)) == reached


def test_rules_with_conditions_are_all_told(tmp_path: Path) -> None:
    found = reach(
        _rule_set(
            tmp_path,
            "[{operation: jobs.run_now, where: {job_id: 1}}, {operation: jobs.run_now, where: {job_id: 2}}]",
        )
    )
    assert list(found) == ["jobs.run_now"]
    assert found["jobs.run_now"].count("jobs.run_now where") == 2


def test_a_deny_rule_takes_an_operation_away(tmp_path: Path) -> None:
    whole = reach(_rule_set(tmp_path, "[{service: jobs, class: read}]"))
    assert set(whole) - set(reach(_rule_set(tmp_path, "[{service: jobs, class: read}]", "[jobs.get]"))) == {
        "jobs.get"
    }


def test_a_class_reaches_all_operations_of_that_class(tmp_path: Path) -> None:
    reads = {name for name, operation in load_catalog().operations.items() if operation.kind == "read"}
    assert set(reach(_rule_set(tmp_path, "[{class: read}]"))) == reads


def test_everything_is_reached_by_a_path_rule_for_everything(tmp_path: Path) -> None:
    found = reach(_rule_set(tmp_path, "['GET /api/{rest...}']"))
    operations = load_catalog().operations
    expected = {
        name for name, each in operations.items() if any(call.startswith("GET /api/") for call in each.calls)
    }
    assert set(found) == expected


@pytest.mark.parametrize(
    ("allow", "deny"),
    [
        ("[{class: read}, jobs.*]", "[jobs.delete, {service: secrets, class: secret}]"),
        ("['GET /api/2.1/{rest...}', 'POST /api/2.0/sql/statements']", "['GET /api/2.1/jobs/{rest...}']"),
        ("[{preset: catalog-browser}, 'DELETE /api/2.0/{service}/{name}']", "[]"),
    ],
    ids=["names", "paths", "both"],
)
def test_what_the_proxy_allows_is_what_is_reached(allow: str, deny: str, tmp_path: Path) -> None:
    """Every call of every operation is judged by the proxy's own decision."""
    reached = reach(_rule_set(tmp_path, allow, deny))
    policy = load_policy(tmp_path, 0).policy
    subject = next(iter(policy.tokens.values()))
    allowed = set()
    for operation in load_catalog().operations.values():
        for rule in call_rules(operation):
            target = "".join(f"/{_sample(segment)}" for segment in rule.template.segments)
            request = read_request(h1(rule.method.encode(), target.encode()))
            if decide_for(policy, subject, request, "10.0.0.1", 0).allow:
                allowed.add(operation.name)
    assert allowed == set(reached)


def _sample(segment: Segment) -> str:
    if isinstance(segment, Literal):
        return segment.text
    return f"x:{segment.verb}" if segment.verb else "x"
