"""A deny that names an object and its type is met by what acts on all below something that holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brickscope.core.reason import Reason
from core.judged import judged, policy

DENIED, ALLOWED = Reason.DENIED_BY_RULE, Reason.ALLOWED_BY_RULE
TABLE = {"securable_type": "table", "full_name": "fin.pay.w"}
UNDER = {"on_securable_type": "TABLE", "on_securable_fullname": "fin.pay.w"}
TAG = {"entity_type": "tables", "entity_name": "fin.pay.w"}
TABLES = {"securable_type": "table"}
SEVERAL = {"securable_type": ["table", "volume"], "full_name": {"prefix": "fin.pay."}}
SCHEMA = {"securable_type": "schema", "full_name": "fin.pay"}
CONNECTION = {"securable_type": "connection", "full_name": "fin"}

GRANTS = {
    "the object itself": (TABLE, "table/fin.pay.w", DENIED),
    "the schema that holds it": (TABLE, "schema/fin.pay", DENIED),
    "the catalog that holds it": (TABLE, "catalog/fin", DENIED),
    "the type in another case": (TABLE, "SCHEMA/Fin.Pay", DENIED),
    "another object of the type": (TABLE, "table/fin.pay.x", ALLOWED),
    "another schema": (TABLE, "schema/fin.tax", ALLOWED),
    "an object of another type with its name": (TABLE, "volume/fin.pay.w", ALLOWED),
    "the schema of one of several types": (SEVERAL, "schema/fin.pay", DENIED),
    "a schema whose catalog is above it": (SCHEMA, "catalog/fin", DENIED),
    "what the schema holds": (SCHEMA, "table/fin.pay.w", ALLOWED),
    "a catalog with the name of what no catalog holds": (CONNECTION, "catalog/fin", ALLOWED),
    "any schema, where the type alone is named": (TABLES, "schema/fin.pay", ALLOWED),
}


@pytest.mark.parametrize(("where", "target", "reason"), GRANTS.values(), ids=GRANTS)
def test_a_grant(where: dict[str, Any], target: str, reason: Reason, tmp_path: Path) -> None:
    known = policy(
        tmp_path, {"operation": "grants.update"}, deny=[{"operation": "grants.update", "where": where}]
    )
    call = f"/api/2.1/unity-catalog/permissions/{target}"
    assert judged(known, "PATCH", call, {"changes": []}).reason is reason


OTHERS = {
    "a policy on its schema": (
        "policies.create_policy",
        UNDER,
        "policies",
        {"on_securable_type": "SCHEMA", "on_securable_fullname": "fin.pay"},
        DENIED,
    ),
    "a policy on another schema": (
        "policies.create_policy",
        UNDER,
        "policies",
        {"on_securable_type": "SCHEMA", "on_securable_fullname": "fin.tax"},
        ALLOWED,
    ),
    "a tag on its catalog": (
        "entity_tag_assignments.create",
        TAG,
        "entity-tag-assignments",
        {"entity_type": "catalogs", "entity_name": "fin", "tag_key": "k"},
        DENIED,
    ),
}


@pytest.mark.parametrize(("name", "where", "path", "body", "reason"), OTHERS.values(), ids=OTHERS)
def test_a_body(
    name: str, where: dict[str, Any], path: str, body: dict[str, Any], reason: Reason, tmp_path: Path
) -> None:
    known = policy(tmp_path, {"operation": name}, deny=[{"operation": name, "where": where}])
    assert judged(known, "POST", f"/api/2.1/unity-catalog/{path}", body).reason is reason


def test_a_rule_that_allows_takes_its_type_alone(tmp_path: Path) -> None:
    known = policy(tmp_path, {"operation": "grants.update", "where": TABLE})
    call = "/api/2.1/unity-catalog/permissions/schema/fin.pay"
    assert judged(known, "PATCH", call, {"changes": []}).reason is Reason.CONSTRAINT_NOT_MET
