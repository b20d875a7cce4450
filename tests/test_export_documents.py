"""docs/shipping.md and docs/lakehouse.md show what the commands print and what the queries find."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit.conformance import ecs_problems, ocsf_problems
from brickscope.audit.export.ecs import VERSION as ECS
from brickscope.audit.export.ocsf import VERSION as OCSF
from brickscope.audit.queries import names, query
from brickscope.cli.main import main
from lakehouse.test_bypass import CASES
from lakehouse.test_queries import OF_SYSTEM_TABLES

DOCS = Path(__file__).parent.parent / "docs"
SHIPPING = (DOCS / "shipping.md").read_text()
LAKEHOUSE = (DOCS / "lakehouse.md").read_text()
(RECORDS,) = re.findall(r"```jsonl\n(.*?)```", SHIPPING, re.S)
EVENTS = {form: (DOCS / "events" / f"{form}.json").read_text() for form in ("ecs", "ocsf")}


@pytest.mark.parametrize("form", EVENTS)
def test_the_events_shown_are_those_of_the_records_shown(form: str, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text(RECORDS)
    result = CliRunner().invoke(main, ["audit", "export", "--format", form, str(file)])
    assert json.loads(result.stdout) == json.loads(EVENTS[form])
    assert {"ecs": ecs_problems, "ocsf": ocsf_problems}[form](json.loads(EVENTS[form])) == []


def test_the_versions_named_are_those_of_the_code() -> None:
    assert f"Version {ECS}." in SHIPPING
    assert f"Version {OCSF}, with" in SHIPPING
    text = CliRunner().invoke(main, ["audit", "export", "--help"]).stdout
    assert f"Schema {ECS.rpartition('.')[0]}" in text
    assert f"OCSF {OCSF.rpartition('.')[0]}" in text


def test_every_verdict_is_explained() -> None:
    verdicts = {verdict for _, verdict in CASES.values() if verdict}
    assert verdicts == set(re.findall(r"(?:THEN|ELSE) '([a-z_]+)'", query("lakehouse/bypass"))) - {
        "sent",
        "refused",
    }
    assert verdicts <= set(re.findall(r"^\| `(\w+)` \|", LAKEHOUSE, re.M))


def test_every_query_that_the_page_names_is_there() -> None:
    named = set(
        re.findall(r"`((?:bypass|missing|conflicts|denials|unused|setup|views|stream|table)\w*)`", LAKEHOUSE)
    )
    assert named <= set(names())
    assert named >= OF_SYSTEM_TABLES
