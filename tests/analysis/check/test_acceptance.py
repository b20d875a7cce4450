"""Acceptances: what they accept and no more, when they end, and that a stale one is itself a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.check.policies import findings, load
from brickscope.analysis.check.finding import Finding

BASE = f"""\
tokens:
  ci: {{fingerprint: sha256:{"a" * 64}, rule_set: runner}}
  nightly: {{fingerprint: sha256:{"b" * 64}, rule_set: runner, mode: monitor}}
rule_sets:
  runner:
    allow: [jobs.run_now, tokens.create]
"""
_BY = "reason: reviewed, until: 2027-01-01"


def run(folder: Path, *entries: str, base: str = BASE) -> list[Finding]:
    lines = [f"  - {{{entry}}}" for entry in entries]
    return findings(folder, "\n".join([f"{base}accept:", *lines, ""]))


def state(found: list[Finding], code: str) -> list[tuple[str | None, tuple[str, ...], bool]]:
    """What is said of a code: whom it is about, whom it affects, and whether it is accepted."""
    return [
        (each.rule_set or each.subject, each.subjects, each.accepted is not None)
        for each in found
        if each.code == code
    ]


BOTH = ("ci", "nightly")
# Entries of ``accept``, the code that is looked at, what is left of it, and which findings about acceptances there are.
CASES: dict[str, tuple[tuple[str, ...], str, list[tuple[str, tuple[str, ...], bool]], set[str]]] = {
    "in a rule set": (
        (f"finding: BS213, rule_set: runner, {_BY}",),
        "BS213",
        [("runner", BOTH, True)],
        set(),
    ),
    "another code of the same rule set is not": (
        (f"finding: BS213, rule_set: runner, {_BY}",),
        "BS201",
        [("runner", BOTH, False)],
        set(),
    ),
    "for one of two subjects": (
        (f"finding: BS213, subject: ci, {_BY}",),
        "BS213",
        [("runner", ("nightly",), False)],
        set(),
    ),
    "for both subjects, one after the other": (
        (f"finding: BS213, subject: ci, {_BY}", f"finding: BS213, subject: nightly, {_BY}"),
        "BS213",
        [("runner", ("nightly",), True)],
        set(),
    ),
    "for a subject in a rule set": (
        (f"finding: BS213, rule_set: runner, subject: ci, {_BY}",),
        "BS213",
        [("runner", ("nightly",), False)],
        set(),
    ),
    "about a subject": (
        (f"finding: BS506, subject: nightly, {_BY}",),
        "BS506",
        [("nightly", ("nightly",), True)],
        set(),
    ),
    "by operations that it rests on": (
        (f"finding: BS213, rule_set: runner, operations: [jobs.run_now, jobs.repair_run], {_BY}",),
        "BS213",
        [("runner", BOTH, True)],
        set(),
    ),
    "by operations that are not all": (
        (f"finding: BS213, rule_set: runner, operations: [jobs.repair_run], {_BY}",),
        "BS213",
        [("runner", BOTH, False)],
        {"BS902"},
    ),
    "of nothing in particular, what is about a rule set": (
        (f"finding: BS213, {_BY}",),
        "BS213",
        [("runner", BOTH, False)],
        {"BS902"},
    ),
    "in the rule set, what is about a subject": (
        (f"finding: BS506, rule_set: runner, {_BY}",),
        "BS506",
        [("nightly", ("nightly",), False)],
        {"BS902"},
    ),
    "until a moment that is now": (
        ("finding: BS213, rule_set: runner, reason: reviewed, until: 2026-11-01",),
        "BS213",
        [("runner", BOTH, False)],
        {"BS901"},
    ),
    "until one second from now": (
        ("finding: BS213, rule_set: runner, reason: reviewed, until: 2026-11-01T00:00:01Z",),
        "BS213",
        [("runner", BOTH, True)],
        {"BS903"},
    ),
    "twice": (
        (f"finding: BS213, rule_set: runner, {_BY}", f"finding: BS213, rule_set: runner, {_BY}"),
        "BS213",
        [("runner", BOTH, True)],
        {"BS902"},
    ),
    "an acceptance of an acceptance": (
        (f"finding: BS902, rule_set: runner, {_BY}",),
        "BS213",
        [("runner", BOTH, False)],
        {"BS902"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_accepted(case: str, tmp_path: Path) -> None:
    entries, code, expected, about = CASES[case]
    found = run(tmp_path, *entries)
    assert state(found, code) == expected
    assert {each.code for each in found if each.code.startswith("BS9")} == about


def test_the_whole_policy_is_accepted_without_a_name(tmp_path: Path) -> None:
    found = run(tmp_path, f"finding: BS505, {_BY}", base=f"mode: monitor\n{BASE}")
    assert [each.accepted is not None for each in found if each.code == "BS505"] == [True]


MISTYPED = {
    f"finding: BS999, rule_set: runner, {_BY}": "there is no code BS999 (did you mean 'BS9",
    f"finding: BS213, rule_set: runer, {_BY}": "the policy has no rule set runer (did you mean 'runner'?)",
    f"finding: BS506, subject: nightyl, {_BY}": "the policy names nobody nightyl (did you mean 'nightly'?)",
    f"finding: BS208, rule_set: runner, {_BY}": "there is no BS208 in the rule set runner to accept",
}


@pytest.mark.parametrize("entry", MISTYPED)
def test_an_acceptance_of_nothing_says_why(entry: str, tmp_path: Path) -> None:
    (finding,) = [each for each in run(tmp_path, entry) if each.code == "BS902"]
    assert finding.position.line == 9
    assert MISTYPED[entry] in finding.message


def test_what_is_accepted_says_by_what(tmp_path: Path) -> None:
    (finding,) = [
        each
        for each in run(tmp_path, "finding: BS213, rule_set: runner, reason: 'ticket 7', until: 2027-01-01")
        if each.code == "BS213"
    ]
    assert finding.accepted is not None
    assert finding.accepted.value.reason == "ticket 7"
    assert finding.accepted.value.until == 1798761600.0
    assert finding.accepted.position().line == 9


def test_no_decision_depends_on_it(tmp_path: Path) -> None:
    plain = load(tmp_path, BASE).policy.revision
    accepted = load(tmp_path, f"{BASE}accept:\n  - {{finding: BS213, rule_set: runner, {_BY}}}\n")
    assert accepted.policy.revision == plain
