"""The page, the dashboard and the alerts name what is there, and nothing else."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from brickscope.service.monitoring.collector import FLEET_METRICS, METRICS
from brickscope.service.monitoring.readiness import Reason

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "monitoring"
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
EVENTS = set(
    re.findall(r"^\| `(\w+)` \|", PAGE.partition("| event | meaning |")[2].partition("\n\n")[0], re.M)
)
ALERTS = [
    rule for group in yaml.safe_load((DOCS / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD = json.loads((DOCS / "grafana-dashboard.json").read_text())

PROCESS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
)


def series() -> set[str]:
    """Names of all series that a scrape can have."""
    found = {*PROCESS, "up", *(f"brickscope_supervisor_{name}" for name in PROCESS)}
    for metric in (*METRICS, *FLEET_METRICS):
        parts = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        found |= {metric.name + part for part in parts}
    return found


def named(expression: str) -> set[str]:
    """The series that an expression asks for."""
    without_labels = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expression)
    return set(re.findall(r"\b(?:brickscope|process)_\w+|\bup\b", without_labels))


def expressions(node: Any) -> Iterator[str]:
    """All expressions of the dashboard."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "expr":
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for each in node:
            yield from expressions(each)


def test_the_page_has_every_metric_as_it_is() -> None:
    for metric in (*METRICS, *FLEET_METRICS):
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |" in PAGE, metric.name
    assert len(re.findall(r"^\| `brickscope_\w+` \|", PAGE, re.M)) == len(METRICS) + len(FLEET_METRICS)


def test_the_page_has_every_reason_as_it_is() -> None:
    for reason in Reason:
        assert f"| `{reason.code}` | {reason.value} |" in PAGE, reason


def test_every_message_of_the_proxy_has_an_event_of_the_list() -> None:
    """A message without a code could be found only by its sentence, which may be put better some day."""
    folders = ("audit", "core", "identity", "log", "policy", "proxy", "service/monitoring")
    used = set()
    for file in [
        path for folder in folders for path in sorted((ROOT / "addon/brickscope" / folder).glob("*.py"))
    ]:
        tree = ast.parse(file.read_text())
        shared = {
            target.id: ast.literal_eval(node.value.values[0])
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and node.value.keys
            if node.value.keys[0] is not None and ast.unparse(node.value.keys[0]) == "'event'"
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("notice."):
                event = ast.literal_eval(node.args[0])
                assert event in EVENTS, f"{file.name}:{node.lineno}"
                used.add(event)
            if not (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "logger"
                and node.func.attr in ("debug", "info", "warning", "error", "exception", "critical")
            ):
                continue
            extra = next((keyword.value for keyword in node.keywords if keyword.arg == "extra"), None)
            where = f"{file.name}:{node.lineno}"
            if isinstance(extra, ast.Name):
                event = shared[extra.id]
            else:
                assert isinstance(extra, ast.Dict), f"{where}: extra={{'event': ...}} is missing"
                found = dict(zip([ast.unparse(key) for key in extra.keys if key], extra.values, strict=True))
                event = ast.literal_eval(found["'event'"])
            assert event in EVENTS, where
            used.add(event)
    assert EVENTS - used == {"engine", "other", "supervisor", "start_failed"}


def test_the_dashboard_asks_for_what_there_is_and_for_all_of_it() -> None:
    asked = set().union(*(named(expression) for expression in expressions(DASHBOARD)))
    assert asked <= series()
    for metric in (*METRICS, *FLEET_METRICS):
        assert any(name.startswith(metric.name) for name in asked), metric.name


def test_the_dashboard_can_be_imported() -> None:
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "job", "instance"]
    places = set()
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in places, panel["title"]
                places.add((x, y))
        if panel["type"] == "row":
            continue
        assert panel["description"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        if panel["type"] != "table":
            assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert 'job="$job"' in target["expr"], panel["title"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert named(rule["expr"])
    assert named(rule["expr"]) <= series()
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{rule['alert'].lower()}"
    assert f"\n### {rule['alert']}\n" in PAGE


def test_there_is_no_runbook_without_an_alert() -> None:
    assert re.findall(r"^### (Brickscope\w+)$", PAGE, re.M) == [rule["alert"] for rule in ALERTS]


def test_every_alert_is_in_the_table_with_its_severity() -> None:
    shown = re.findall(r"^\| \[`(Brickscope\w+)`\]\(#(\w+)\) \| (\w+) \|", PAGE, re.M)
    assert shown == [(rule["alert"], rule["alert"].lower(), rule["labels"]["severity"]) for rule in ALERTS]


def promtool(*arguments: str) -> str:
    """Run Prometheus' own checker. Returns what it said."""
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool is missing: install the package prometheus"
        pytest.skip("promtool is not installed")
    found = subprocess.run(["promtool", *arguments], cwd=DOCS, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_prometheus_takes_the_alerts() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", "alerts.yaml")


def test_the_alerts_fire_when_they_should_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yaml")


def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"check:{index}", "expr": re.sub(r"\$__rate_interval", "5m", expression)}
        for index, expression in enumerate(expressions(DASHBOARD))
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_prometheus_takes_the_scrape_configuration_of_the_page(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(scrape_configs:\n.*?)```", PAGE, re.S)
    file = tmp_path / "prometheus.yaml"
    file.write_text(text.replace("/etc/brickscope/alerts.yaml", str(DOCS / "alerts.yaml")))
    assert "SUCCESS" in promtool("check", "config", str(file))
