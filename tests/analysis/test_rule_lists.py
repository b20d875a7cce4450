"""What lists of rules cover and meet, held against every call of a small universe as the proxy's own function decides it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from analysis.check.policies import NOW, rules
from analysis.check.policies import load as load_part
from brickscope.analysis.algebra import RuleList, covers, meets
from brickscope.analysis.call import Call, read_call
from brickscope.analysis.judge import find, judge
from brickscope.core.reason import Kind
from brickscope.policy.written import WrittenRule
from examples import examples
from reaching import reaching

_VALUES: list[Any] = [1, [1, 2], [2, 3], {"min": 1, "max": 2}, {"one_of": [1], "optional": True}]
POOL: list[Any] = [
    "jobs.get",
    "jobs.list",
    "repos.get",
    {"service": "jobs", "class": "read"},
    "GET /api/2.1/jobs/get",
    "GET /api/2.2/jobs/{call}",
    "GET /api/2.0/repos/{id}",
    "GET /api/2.0/repos/1",
    "GET /api/{path...}",
    "GET /ajax-api/2.0/repos/{id}",
    "GET /api/2.0/nothing/known",
    *({"operation": "jobs.get", "where": {"job_id": value}} for value in _VALUES),
    *({"operation": "repos.get", "where": {"repo_id": value}} for value in _VALUES[:4]),
    {"operation": "jobs.get", "only": ["job_id"]},
    {"operation": "jobs.get", "where": {"job_id": [1, 2]}, "only": []},
    {"operation": "jobs.list", "only": ["limit"]},
    {"operation": "jobs.list", "where": {"limit": {"max": 2}}},
]


def universe() -> list[Call]:
    """Every call of three operations with two parameters of a few values, by all versions, and one of no operation."""
    found = ["GET /api/2.0/nothing/known", "GET /api/2.0/nothing/else"]
    queries = [
        "",
        "?job_id=1",
        "?job_id=2",
        "?job_id=3",
        "?job_id=1&limit=1",
        "?limit=1",
        "?limit=3",
        "?job_id=1&job_id=3",
    ]
    for version, mirror in itertools.product(("2.0", "2.1", "2.2"), ("api", "ajax-api")):
        found += [
            f"GET /{mirror}/{version}/jobs/{call}{query}" for call in ("get", "list") for query in queries
        ]
        found += [f"GET /{mirror}/{version}/repos/{number}" for number in (1, 2, 3)]
    return [read_call(text) for text in found]


CALLS = universe()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists")


Said = tuple[tuple[WrittenRule, ...], frozenset[int], frozenset[int]]
_SEEN: dict[str, Said] = {}


def said(folder: Path, allow: Iterable[int]) -> Said:
    """The rules of a list as the loader makes them, which calls of the universe they allow, and which have no regular
    reading for them: a parameter that appears twice is refused as soon as one of the rules looks at it."""
    key = json.dumps([*allow])
    if key not in _SEEN:
        loaded = load_part(folder, rules([POOL[index] for index in allow]))
        who = find(loaded.policy, "ci-token")
        decisions = [judge(loaded.policy, who, call, NOW) for call in CALLS]
        _SEEN[key] = (
            loaded.written.rules,
            frozenset(n for n, decision in enumerate(decisions) if decision.allow),
            frozenset(n for n, decision in enumerate(decisions) if decision.reason.kind is Kind.READING),
        )
    return _SEEN[key]


@cache
def indices() -> st.SearchStrategy[int]:
    return st.sampled_from(range(len(POOL)))


@reaching(0.15, indices(), st.lists(indices(), min_size=1, max_size=4, unique=True))
@settings(max_examples=examples(600), deadline=None)
def test_what_is_covered_is_allowed_by_the_list(folder: Path, one: int, others: list[int]) -> bool:
    (written,), alone, _ = said(folder, [one])
    listed, allowed, unread = said(folder, others)
    everything = RuleList(listed)
    parts = [everything.over(rule) for rule in written.operations]
    parts += [everything.over_path(path) for path in written.paths]
    if not parts or not all(parts):
        return False
    missing = alone - allowed - unread
    assert not missing, [CALLS[n].text for n in missing]
    return bool(alone)


@reaching(0.5, indices(), st.lists(indices(), min_size=1, max_size=4, unique=True))
@settings(max_examples=examples(600), deadline=None)
def test_what_allows_the_same_call_meets(folder: Path, one: int, others: list[int]) -> bool:
    (written,), alone, _ = said(folder, [one])
    listed, allowed, _ = said(folder, others)
    if not alone & allowed:
        return False
    assert RuleList(listed).meets(written), [CALLS[n].text for n in alone & allowed]
    return True


@pytest.mark.parametrize("one", range(len(POOL)))
def test_two_rules_that_cover_or_meet(folder: Path, one: int) -> None:
    """Of each pair: one that covers the other allows all that it does; two that allow one call meet."""
    (first,), alone, _ = said(folder, [one])
    for other in range(len(POOL)):
        (second,), allowed, _ = said(folder, [other])
        for wide, narrow in itertools.product(first.operations, second.operations):
            if wide.operation != narrow.operation or len(first.operations) > 1 or len(second.operations) > 1:
                continue
            assert not covers(wide, narrow) or allowed <= alone
            assert meets(wide, narrow) or not alone & allowed
