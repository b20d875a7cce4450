"""SARIF: the required structure, places that a code host finds, and marks by which it knows a finding again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.check.policies import NOW, load
from brickscope.analysis.check.checker import broken, check, data
from brickscope.analysis.check.code import codes
from brickscope.analysis.check.finding import Finding, Severity
from brickscope.analysis.check.sarif import sarif
from brickscope.policy.problem import PolicyError, Position
from schemas import validator

SCHEMA = json.loads(Path(__file__).with_name("sarif.schema.json").read_text())
POLICY = f"""\
tokens:
  ci: {{fingerprint: sha256:{"a" * 64}, rule_set: runner}}
rule_sets:
  runner:
    allow:
      - jobs.run_now
      - workspace.import_
      - jobs.list
accept:
  - {{finding: BS213, rule_set: runner, reason: "seen, ticket 7", until: 2027-01-01}}
"""


def run(folder: Path, policy: str = POLICY) -> dict[str, Any]:
    loaded = load(folder, policy)
    log = sarif(data(check(loaded, NOW), loaded.policy.revision), folder)
    validator(SCHEMA).validate(log)
    return dict(log["runs"][0])


@pytest.mark.parametrize("code", [code for code in codes() if code != "BS001"])
def test_every_code_has_the_required_structure(code: str, tmp_path: Path) -> None:
    made = run(tmp_path, codes()[code].example)
    rules = made["tool"]["driver"]["rules"]
    assert code in [rule["id"] for rule in rules]
    for result in made["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_policy_that_does_not_load_is_there_with_its_errors(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, POLICY.replace("jobs.list", "jobs.lsit"))
    log = sarif(data(broken(error.value)), tmp_path)
    validator(SCHEMA).validate(log)
    (made,) = log["runs"]
    assert made["invocations"] == [{"executionSuccessful": False}]
    assert [result["ruleId"] for result in made["results"]] == ["BS001"]


def test_places_are_relative_to_the_root_with_rules_and_related_ones(tmp_path: Path) -> None:
    results = {result["ruleId"]: result for result in run(tmp_path)["results"]}
    place = results["BS301"]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "policy.yaml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 8, "startColumn": 9}
    (related,) = results["BS301"]["relatedLocations"]
    assert related["physicalLocation"]["region"]["startLine"] == 7
    assert results["BS301"]["level"] == "error"
    assert "ci may POST https://" in results["BS301"]["message"]["text"]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("rules/a b.yaml", {"uri": "rules/a%20b.yaml", "uriBaseId": "%SRCROOT%"}),
        ("rules/ü#?.yaml", {"uri": "rules/%C3%BC%23%3F.yaml", "uriBaseId": "%SRCROOT%"}),
        ("rules/\udcff.yaml", {"uri": "rules/%FF.yaml", "uriBaseId": "%SRCROOT%"}),
        ("link-to-itself.yaml", {"uri": "link-to-itself.yaml", "uriBaseId": "%SRCROOT%"}),
        ("../other/p.yaml", None),
    ],
)
def test_file_names_are_uris(file: str, expected: dict[str, str] | None, tmp_path: Path) -> None:
    (tmp_path / "link-to-itself.yaml").symlink_to("link-to-itself.yaml")
    finding = Finding("BS101", Severity.WARNING, "x", Position(file, 0, 0))
    log = sarif(data([finding], "r"), tmp_path)
    validator(SCHEMA).validate(log)
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 1, "startColumn": 1}
    if expected is None:
        assert place["artifactLocation"]["uri"].startswith("file:///")
        assert place["artifactLocation"]["uri"].endswith("/other/p.yaml")
    else:
        assert place["artifactLocation"] == expected


def test_what_is_accepted_is_suppressed_and_nothing_else(tmp_path: Path) -> None:
    results = run(tmp_path)["results"]
    (suppressed,) = [result for result in results if "suppressions" in result]
    assert suppressed["ruleId"] == "BS213"
    (suppression,) = suppressed["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("inSource", "accepted")
    assert suppression["justification"] == "seen, ticket 7"
    assert suppression["location"]["physicalLocation"]["region"]["startLine"] == 11


def test_a_finding_is_known_again_when_lines_move_and_by_its_rule_set(tmp_path: Path) -> None:
    def marks(policy: str) -> dict[str, str]:
        return {
            result["ruleId"]: result["partialFingerprints"]["brickscopeFinding/v1"]
            for result in run(tmp_path, policy)["results"]
        }

    before = marks(POLICY)
    assert marks(f"# a comment\n\n{POLICY}") == before
    assert len(set(before.values())) == len(before)
    renamed = marks(POLICY.replace("runner", "other"))
    assert set(renamed) == set(before)
    assert not set(renamed.values()) & set(before.values())
