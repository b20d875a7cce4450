"""``accept`` in policy files: what is taken, what is said when it is wrong, and that no decision depends on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from brickscope.policy.load import Loaded, load_policy
from brickscope.policy.problem import PolicyError
from brickscope.policy.schema import render
from schemas import validator

BASE = f"""\
version: 1
tokens:
  ci: {{fingerprint: sha256:{"a" * 64}, rule_set: reader}}
rule_sets:
  reader: {{allow: [jobs.run_now]}}
"""
ENTRY = "accept:\n  - {finding: BS213, rule_set: reader, reason: reviewed, until: 2027-03-01}\n"


def load(folder: Path, *texts: str) -> Loaded:
    for index, text in enumerate(texts):
        (folder / f"{index}.yaml").write_text(text)
    return load_policy(folder, 0)


def test_entries_of_all_files_are_kept_with_their_places(tmp_path: Path) -> None:
    other = f"version: 1\n{ENTRY.replace('BS213', 'BS304')}"
    first, second = load(tmp_path, BASE + ENTRY, other).written.accepted
    assert (first.value.finding, first.value.until) == ("BS213", 1803859200.0)
    assert (first.position().line, first.position().column) == (7, 5)
    assert (second.value.finding, second.position().file) == ("BS304", str(tmp_path / "1.yaml"))


def test_it_changes_no_revision(tmp_path: Path) -> None:
    plain = load(tmp_path, BASE).policy.revision
    assert load(tmp_path, BASE + ENTRY).policy.revision == plain


def test_the_schema_knows_it() -> None:
    check = validator(json.loads(render()))
    check.validate(yaml.load(BASE + ENTRY, yaml.BaseLoader) | {"version": 1})
    wrong = ENTRY.replace(", until: 2027-03-01", "")
    assert not check.is_valid(yaml.load(BASE + wrong, yaml.BaseLoader) | {"version": 1})


WRONG = {
    "no code": ("finding: BS213", "finding: escalation", "a finding has a code such as BS213"),
    "no reason": ("reason: reviewed, ", "", "the key 'reason' is missing"),
    "an empty reason": ("reason: reviewed", "reason: ' '", "say why it is accepted"),
    "no end": (", until: 2027-03-01", "", "the key 'until' is missing"),
    "an end that is not a time": ("until: 2027-03-01", "until: never", "a time is a date"),
    "a mistyped key": ("rule_set:", "ruleset:", "did you mean 'rule_set'?"),
    "no value": ("rule_set: reader", "rule_set: null", "the key has no value"),
    "an empty list": ("rule_set: reader", "operations: []", "the list is empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_at_its_place(case: str, tmp_path: Path) -> None:
    old, new, message = WRONG[case]
    with pytest.raises(PolicyError) as error:
        load(tmp_path, BASE + ENTRY.replace(old, new))
    (problem,) = error.value.problems
    assert message in str(problem)
    assert problem.position.line == 7
