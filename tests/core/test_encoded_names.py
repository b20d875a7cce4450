"""Names with separators in them, encoded: allowed by name, although a server that does not know names reads another path;
and where that ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.core.decide import PLAIN
from brickscope.core.reason import Reason
from core.judged import ALLOWED, judged, policy

# The one operation that is allowed, by its name; a target below the catalogue's own; the reason, and all readings of it, the
# one that decided first.
UC = "/api/2.1/unity-catalog"
UNKNOWN, NO_RULE = Reason.UNKNOWN_OPERATION, Reason.NO_RULE_MATCHES
SPLIT, CUT, AS_SENT = "split at '/'", "cut at '?'", "literals as sent"
ENCODED: dict[str, tuple[str, str, Reason, tuple[str, ...]]] = {
    "a slash in a name": ("tables.get", "/tables/main.a.in%2Fout", ALLOWED, (PLAIN, SPLIT)),
    "a slash in a name before the end": (
        "tables.exists",
        "/tables/main.a.in%2Fout/exists",
        ALLOWED,
        (PLAIN, SPLIT),
    ),
    "several": ("tables.exists", "/tables/main.a.in%2Fout%2Fa%2Fb/exists", ALLOWED, (PLAIN, SPLIT)),
    "a slash and a colon, which no verb begins with": (
        "tables.get",
        "/tables/main.a.in%3Aout%2Fx",
        ALLOWED,
        (AS_SENT, PLAIN, SPLIT, f"{SPLIT}, {AS_SENT}"),
    ),
    "in front of a variable that is none": (
        "model_versions.get",
        "/models/main.a.m%2Fx/versions/1",
        ALLOWED,
        (PLAIN, SPLIT),
    ),
    "in the last of two": (
        "entity_tag_assignments.get",
        "/entity-tag-assignments/tables/main.a.x/tags/k%2F2",
        ALLOWED,
        (PLAIN, SPLIT),
    ),
    "in the first of two": (
        "entity_tag_assignments.get",
        "/entity-tag-assignments/tables/main.a%2Fx/tags/k",
        ALLOWED,
        (PLAIN, SPLIT),
    ),
    "a question mark in the first of two": (
        "entity_tag_assignments.get",
        "/entity-tag-assignments/tables/main.a.x%3Fy/tags/k",
        ALLOWED,
        (PLAIN, CUT),
    ),
    "a question mark, and no operation ends there": (
        "resource_quotas.get_quota",
        "/resource-quotas/catalog/main%3Fx/q",
        ALLOWED,
        (PLAIN, CUT),
    ),
    "a question mark, and another operation ends there": (
        "tables.exists",
        "/tables/main.a.x%3Fy/exists",
        NO_RULE,
        (CUT, PLAIN),
    ),
    "a slash in a variable that is no such name": (
        "resource_quotas.get_quota",
        "/resource-quotas/cat%2Fx/main/q",
        UNKNOWN,
        (SPLIT, PLAIN),
    ),
    "a question mark in a variable that is no such name": (
        "resource_quotas.get_quota",
        "/resource-quotas/cat%3Fx/main/q",
        UNKNOWN,
        (CUT, PLAIN),
    ),
    "a slash in a variable behind the name": (
        "resource_quotas.get_quota",
        "/resource-quotas/catalog/main/q%2Fx",
        UNKNOWN,
        (SPLIT, PLAIN),
    ),
    "a slash in the name and in a variable behind it": (
        "model_versions.get",
        "/models/main.a.m%2Fx/versions/1%2F2",
        UNKNOWN,
        (SPLIT, PLAIN),
    ),
    "a slash in a name that the catalogue does not mark": (
        "catalogs.get",
        "/catalogs/main%2Fx",
        UNKNOWN,
        (SPLIT, PLAIN),
    ),
}


BY_PATH = {count: "/".join(f"{{v{at}}}" for at in range(count)) for count in range(2, 7)}
"""Anything of so many segments."""


@pytest.mark.parametrize(("operation", "target", "reason", "readings"), ENCODED.values(), ids=ENCODED)
def test_a_name_with_separators_is_allowed_by_name_alone(
    operation: str, target: str, reason: Reason, readings: tuple[str, ...], tmp_path: Path
) -> None:
    decision = judged(policy(tmp_path, operation), "GET", UC + target)
    assert (decision.reason, decision.readings) == (reason, readings)
    if reason is ALLOWED:  # a rule by path knows nothing of names
        by_path = policy(tmp_path, operation, f"GET {UC}/{BY_PATH[target.count('/')]}")
        assert judged(by_path, "GET", UC + target).reason is UNKNOWN


def test_a_verb_is_one_as_it_is_sent(tmp_path: Path) -> None:
    """An encoded colon is a verb's to a server that decodes first, and part of a name to one that looks for verbs before."""
    verb, name = policy(tmp_path, "GET /own/{name}:run"), policy(tmp_path, "GET /own/{name}")
    both = policy(tmp_path, "GET /own/{name}:run", "GET /own/{name}")
    for known, sent, reason in (
        (verb, "a:run", ALLOWED),
        (verb, "a%3Arun", UNKNOWN),
        (name, "a:run", UNKNOWN),
        (name, "a%3Arun", UNKNOWN),
        (both, "a%3Arun", ALLOWED),
    ):
        assert judged(known, "GET", f"/own/{sent}").reason is reason


def test_a_literal_that_is_sent_encoded_is_the_same_outside_the_catalogue(tmp_path: Path) -> None:
    known = policy(tmp_path, "GET /own/about/{name}", f"GET {UC}/catalogs")
    assert judged(known, "GET", "/own/%61bout/x").reason is ALLOWED
    assert judged(known, "GET", f"{UC}/catalogs").reason is ALLOWED
    assert judged(known, "GET", f"{UC}/c%61talogs").readings == ("literals as sent", PLAIN)
    assert judged(known, "GET", f"{UC}/c%61talogs").reason is UNKNOWN
