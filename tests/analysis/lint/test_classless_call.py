"""A deny by class holds for what has a class; what is allowed beside it and has none is said (BS117)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.check.policies import findings, only, rules
from brickscope.analysis.lint.denies import MADE_UP

# What is allowed and denied, and the calls that are named as examples of what the deny can't see.
CASES: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "the rest of a path": (
        ["GET /api/2.1/{path...}"],
        [{"class": "secret"}],
        [f"GET https://example.cloud.databricks.com/api/2.1/example/{MADE_UP}"],
    ),
    "one segment": (
        ["POST /api/2.0/fs/{call}"],
        [{"class": "secret"}],
        [f"POST https://example.cloud.databricks.com/api/2.0/fs/{MADE_UP}"],
    ),
    "another class": (
        ["POST /api/2.0/{path...}"],
        [{"class": "grant"}],
        [f"POST https://example.cloud.databricks.com/api/2.0/example/{MADE_UP}"],
    ),
    "an unknown call whose path says what it hands out": (
        ["GET /api/2.0/new/create-presigned-links"],
        [{"class": "secret"}],
        ["GET https://example.cloud.databricks.com/api/2.0/new/create-presigned-links"],
    ),
    "an unknown call whose path says nothing": (["GET /api/2.0/new/things"], [{"class": "secret"}], []),
    "a path that is all known": (["GET /api/2.0/jobs/list"], [{"class": "secret"}], []),
    "a variable behind which all is known": (
        ["GET /api/2.0/serving-endpoints/{name}"],
        [{"class": "secret"}],
        [],
    ),
    "names": (["secrets.*", {"class": "read"}], [{"class": "secret"}], []),
    "a deny of one service": (["GET /api/2.1/{path...}"], [{"service": "secrets", "class": "secret"}], []),
    "a deny by name": (["GET /api/2.1/{path...}"], ["secrets_uc.get_secret"], []),
    "a deny by path beside it": (
        ["GET /api/2.1/{path...}"],
        [{"class": "secret"}, "GET /api/2.1/example/{path...}"],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_deny_by_class_can_not_see(case: str, tmp_path: Path) -> None:
    allow, deny, expected = CASES[case]
    found = [each for each in findings(tmp_path, rules(allow, deny)) if each.code == "BS117"]
    assert [f"{proof.method} {proof.url}" for each in found for proof in each.proofs] == expected


def test_it_stands_at_the_deny_and_names_the_allow(tmp_path: Path) -> None:
    found = only(
        findings(tmp_path, rules(["GET /api/{p...}", "POST /api/{p...}"], [{"class": "secret"}])), "BS117"
    )
    assert found.message == (
        "class secret denies only what the catalogue knows of it; GET /api/{p...} and 1 more allows other calls too"
    )
    assert [text for _, text in found.related] == ["GET /api/{p...}", "POST /api/{p...}"]
