"""Which operations a path rule reaches, by the catalogue's own table."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from brickscope.analysis.reach import common, reached
from brickscope.catalog.catalog import call_rules, load_catalog, operation_table
from brickscope.core.rule import Rule, RuleTable, parse_rule
from brickscope.core.template import Literal, Rest, Template, parse_catalogue_template
from examples import examples
from reaching import reaching

CASES = {
    "GET /api/2.0/sql/warehouses": {"warehouses.list": True},
    "GET /api/2.0/sql/warehouses/{id}": {"warehouses.get": True},
    "GET /api/2.0/sql/warehouses/7": {"warehouses.get": False},
    "GET /ajax-api/2.0/secrets/{x}": {"secrets.get_secret": True, "secrets.list_secrets": True},
    "PUT /api/2.0/permissions/jobs/{id}": {"jobs.set_permissions": True},
    "PUT /api/2.0/permissions/jobs/7": {"jobs.set_permissions": False},
    "GET /internal/{x}": {},
    "POST /api/2.0/sql/warehouses": {"warehouses.create": True},
    "GET /api/2.0/fs/files/Volumes/main/{path...}": {"files.download": False},
}


@pytest.mark.parametrize("rule", CASES)
def test_the_operations_of_a_path_rule(rule: str) -> None:
    assert {name: each.whole for name, each in reached(parse_rule(rule)).items()} == CASES[rule]


def test_a_wide_rule_reaches_whatever_is_below_it() -> None:
    found = set(reached(parse_rule("GET /api/{path...}")))
    wanted = {
        operation.name
        for operation in load_catalog().operations.values()
        if any(call.startswith("GET /api/") for call in operation.calls)
    }
    assert found == wanted


_TEMPLATES = [rule for operation in load_catalog().operations.values() for rule in call_rules(operation)]


@reaching(0.5, st.sampled_from(_TEMPLATES), st.data())
@settings(max_examples=examples(300), deadline=None)
def test_a_rule_made_from_a_call_reaches_its_operation_and_what_is_reached_is_matched(
    call: Rule, data: st.DataObject
) -> bool:
    segments = call.template.segments
    at = data.draw(st.integers(1, len(segments)))
    begun = [each if isinstance(each, Literal) else Literal(f"v{i}") for i, each in enumerate(segments[:at])]
    wide = Template((*begun, Rest("rest")))
    rule = Rule(call.method, wide, "wide")
    found = reached(rule)
    for name, each in found.items():
        assert RuleTable([rule]).match(call.method, each.segments) is not None
        matched = operation_table().match(call.method, each.segments)
        assert matched is not None
        assert name in matched.names
    return bool(found)


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("/a/{x}", "/a/b", ("a", "b")),
        ("/a/{x}", "/a/b:run", None),
        ("/a/{x}:run", "/a/b:run", ("a", "b:run")),
        ("/a/{x}:run", "/a/{y}", None),
        ("/a/{x...}", "/a", None),
        ("/a/{x...}", "/a/b/{c}:run", ("a", "b", "example:run")),
        ("/a/{x...}/z", "/a/b/c/z", ("a", "b", "c", "z")),
        ("/a/{x...}:run", "/a/{y...}", ("a", "example:run")),
        ("/a/b", "/a/b/c", None),
    ],
)
def test_what_two_templates_have_in_common(first: str, second: str, shared: tuple[str, ...] | None) -> None:
    one, other = parse_catalogue_template(first), parse_catalogue_template(second)
    assert common(one.segments, other.segments) == shared
    assert common(other.segments, one.segments) == shared
