"""Answers as text: what stands in the tree is shown as it is, unless it could act on a terminal or forge a line."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from brickscope.analysis.answer import render

TREE = {
    "passed": 1,
    "failed": 0,
    "seconds": 0.25,
    "tests": [{"wrong": [], "file": "a.test.yaml", "decision": "allow", "enforced": True}],
}


def covered(*rules: str) -> list[str]:
    places = [{"tests": 0, "place": "p.yaml:1:1", "part": "allow", "rule": rule} for rule in rules]
    return render("test", {**TREE, "coverage": places})


def test_signs_of_markup_are_no_matter() -> None:
    assert covered('{"a": <b> & {{ c }}}')[1] == '  none  p.yaml:1:1  allow {"a": <b> & {{ c }}}'


@given(st.text())
def test_no_text_forges_a_line_or_acts_on_a_terminal(text: str) -> None:
    lines = covered("jobs.list", text)
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("able", "near", "unable", "said"),
    [
        (0, 0, 1, ["Nobody can.", "1 subject can't."]),
        (0, 0, 2, ["Nobody can.", "2 subjects can't."]),
        (1, 0, 1, ["Who can:", "1 other subject can't."]),
        (0, 1, 2, ["Nobody can.", "Who nearly can:", "2 other subjects can't."]),
        (1, 0, 0, ["Who can:"]),
    ],
)
def test_others_are_only_where_somebody_was_named(able: int, near: int, unable: int, said: list[str]) -> None:
    lists: dict[str, list[str]] = {"bounds": [], "obstacles": [], "allowed": [], "denied": [], "related": []}
    kinds = [(True, False)] * able + [(False, True)] * near + [(False, False)] * unable
    subjects = [
        {"subject": "ci", "kind": "token", "able": can, "near": nearly, **lists} for can, nearly in kinds
    ]
    tree = {"operation": "x.a", "call": "GET /a", "class": "read", "risk": None, "subjects": subjects}
    assert [line for line in render("access", tree)[3:] if line and not line.startswith(" ")] == said


def test_what_is_marked_is_printable_inside() -> None:
    finding = {
        **dict.fromkeys(("rule_set", "subject", "accepted")),
        "severity": "error",
        "code": "BS101",
        "file": "p\x1b[31m.yaml",
        "line": 1,
        "column": 2,
        "message": "<\x1b>",
        "subjects": [],
        "proofs": [],
        "related": [{"file": "q.yaml", "line": 3, "column": 4, "message": '"\x1b[0m"'}],
    }
    lines = render("check", {"findings": [finding], "counts": {"error": 1, "warning": 0, "note": 0}})
    assert [click.unstyle(line) for line in lines][:4] == [
        "the policy",
        r"  error    BS101  p\x1b[31m.yaml:1:2",
        r"           <\x1b>",
        r'             q.yaml:3:4  "\x1b[0m"',
    ]


def test_a_name_that_the_tree_lacks_is_no_blank() -> None:
    with pytest.raises(UndefinedError, match="coverage"):
        render("test", TREE)
