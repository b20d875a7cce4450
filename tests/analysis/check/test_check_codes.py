"""Every code has a policy that has the finding and one that has not; both stand in the documents."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from pkgutil import iter_modules

import pytest

from analysis.check.policies import NOW, findings, load
from brickscope.analysis import lint
from brickscope.analysis.call import read_call
from brickscope.analysis.check.checker import BROKEN, broken
from brickscope.analysis.check.code import codes, lints
from brickscope.analysis.check.finding import Finding, Findings
from brickscope.analysis.judge import find, judge
from brickscope.core.policy import Policy
from brickscope.policy.problem import PolicyError

LINTED = [code for code in codes() if code != BROKEN]


@pytest.mark.parametrize("code", LINTED)
def test_the_example_has_the_finding_at_a_place_and_with_a_proof(code: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, codes()[code].example)
    found = findings(tmp_path, codes()[code].example)
    mine = [finding for finding in found if finding.code == code]
    assert mine
    lines = (tmp_path / "policy.yaml").read_text().splitlines()
    for finding in mine:
        assert finding.severity is codes()[code].severity
        assert 0 < finding.position.line <= len(lines)
        assert 0 < finding.position.column <= len(lines[finding.position.line - 1])
        assert finding.accepted is None
        if codes()[code].needs:
            assert finding.proofs
            assert finding.operations
            assert finding.rule_set == "ci"
            assert finding.subjects == ("ci-token",)
        assert_proved(loaded.policy, finding)


@pytest.mark.parametrize("code", LINTED)
def test_the_mended_example_has_not(code: str, tmp_path: Path) -> None:
    assert code not in {finding.code for finding in findings(tmp_path, codes()[code].fixed)}


def test_a_policy_that_does_not_load_is_one_finding_for_each_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, codes()[BROKEN].example)
    (finding,) = broken(error.value)
    assert (finding.code, finding.position.line) == (BROKEN, 4)
    assert finding.message == "there is no operation 'jobs.lsit' (did you mean 'jobs.list'?)"
    load(tmp_path, codes()[BROKEN].fixed)


def test_each_lint_has_a_page() -> None:
    pages = {file.stem for file in Path(str(files(lint))).glob("*.yaml")}
    modules = [import_module(f"{lint.__name__}.{each.name}") for each in iter_modules(lint.__path__)]
    looks = {
        name
        for module in modules
        for name, look in vars(module).items()
        if not name.startswith("_") and getattr(look, "__annotations__", {}).get("return") == Findings
    }
    assert looks | {"broken_policy"} == pages
    assert [each.code.code for each in lints() if not each.looks] == [BROKEN]
    assert len(lints()) == len(pages)


def test_codes_are_told_in_sentences() -> None:
    for code in codes().values():
        assert re.fullmatch(r"BS[0-9]{3}", code.code)
        assert code.title[0].islower()
        assert not code.title.endswith(".")
        assert code.why.endswith(".")
        assert code.fix.endswith(".")


def assert_proved(policy: Policy, finding: Finding) -> None:
    """Each proof is written out as a call and judged anew."""
    for proof in finding.proofs:
        assert proof.subject is not None
        call = read_call(f"{proof.method} {proof.url} {proof.body}".strip())
        decision = judge(policy, find(policy, proof.subject), call, NOW)
        assert decision.allow, proof
        assert decision.operation == proof.operation
        assert decision.rule == proof.rule
