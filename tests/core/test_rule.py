"""Rules and templates: syntax, matching, and the claim that no request matches a rule of another path."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.rule import METHODS, Rule, RuleTable, parse_rule
from brickscope.core.template import (
    Literal,
    Rest,
    TemplateError,
    Variable,
    parse_catalogue_template,
)
from core.refusal import assert_tells
from examples import examples
from reaching import reaching

MATCHES = {
    "a literal path": ("GET /api/2.0/jobs/list", "GET", "api/2.0/jobs/list", True),
    "another method": ("GET /api/2.0/jobs/list", "POST", "api/2.0/jobs/list", False),
    "HEAD is not GET": ("GET /api/2.0/jobs/list", "HEAD", "api/2.0/jobs/list", False),
    "a longer path": ("GET /api/2.0/jobs", "GET", "api/2.0/jobs/list", False),
    "a shorter path": ("GET /api/2.0/jobs/list", "GET", "api/2.0/jobs", False),
    "another case": ("GET /api/2.0/preview/scim/v2/Me", "GET", "api/2.0/preview/scim/v2/me", False),
    "a variable": ("GET /api/2.0/jobs/{id}", "GET", "api/2.0/jobs/12", True),
    "a variable is one segment": ("GET /api/2.0/jobs/{id}", "GET", "api/2.0/jobs/12/runs", False),
    "a variable is not nothing": ("GET /api/2.0/jobs/{id}", "GET", "api/2.0/jobs", False),
    "a variable is no verb": ("POST /e/{name}", "POST", "e/x:query", False),
    "a verb": ("POST /e/{name}:query", "POST", "e/x:query", True),
    "another verb": ("POST /e/{name}:query", "POST", "e/x:delete", False),
    "a verb without a name": ("POST /e/{name}:query", "POST", "e/:query", False),
    "two verbs": ("POST /e/{name}:query", "POST", "e/x:y:query", False),
    "a literal verb": ("GET /listings:batchGet", "GET", "listings:batchGet", True),
    "the rest": ("GET /fs/{path...}", "GET", "fs/a/b/c", True),
    "the rest with colons": ("GET /fs/{path...}", "GET", "fs/10:30.csv", True),
    "the rest with a colon at its end": ("GET /fs/{path...}", "GET", "fs/a/10:", True),
    "the rest is not nothing": ("GET /fs/{path...}", "GET", "fs", False),
    "the rest of another root": ("GET /fs/{path...}", "GET", "fs2/a", False),
    "a prefix of a segment": ("GET /api/2.0/sql/queries", "GET", "api/2.0/sql/queriesx", False),
    "a name with blanks": ("GET /fs/Q1 (old)/{path...}", "GET", "fs/Q1 (old)/a", True),
    "a name with other blanks": ("GET /fs/Q1 (old)/{path...}", "GET", "fs/Q1  (old)/a", False),
}

BAD = {
    "no method": ("/api/2.0/jobs", 0, "GET /api/2.0/jobs"),
    "no path": ("GET", 0, "GET /api"),
    "two spaces": ("GET  /api", 4, "/ /api"),
    "lower case": ("get /api", 0, "write GET"),
    "an unknown method": ("FETCH /api", 0, ""),
    "CONNECT": ("CONNECT /api", 0, ""),
    "a trailing slash": ("GET /api/", 8, ""),
    "an empty segment": ("GET /api//x", 9, ""),
    "a dot segment": ("GET /api/../x", 9, ""),
    "a query": ("GET /api?x=1", 8, ""),
    "a star": ("GET /api/*", 9, "{name}"),
    "percent-encoding": ("GET /a%20b", 6, "write"),
    "a blank at a segment's end": ("GET /a /b", 6, ""),
    "a blank at a segment's beginning": ("GET /a/ b", 7, ""),
    "a blank that does not break": ("GET /a\u00a0b", 6, ""),
    "a rest in the middle": ("GET /{a...}/b", 5, ""),
    "half a variable": ("GET /api/{id", 9, ""),
    "a variable inside a segment": ("GET /api/v{id}", 10, "write {id} for all of it"),
    "the same variable twice": ("GET /{a}/{a}", 9, ""),
    "a whole URL": ("GET https://host/api", 4, "/https"),
    "a semicolon": ("GET /a;b", 6, ""),
}


@pytest.mark.parametrize(("rule", "method", "path", "expected"), MATCHES.values(), ids=MATCHES)
def test_matching_is_exact(rule: str, method: str, path: str, expected: bool) -> None:
    table = RuleTable([parse_rule(rule)])
    assert (table.match(method, path.split("/")) is not None) is expected


@pytest.mark.parametrize(("text", "offset", "hint"), BAD.values(), ids=BAD)
def test_a_rule_that_could_never_match_is_refused_with_its_place(text: str, offset: int, hint: str) -> None:
    with pytest.raises(TemplateError) as error:
        parse_rule(text)
    assert error.value.offset == offset
    assert hint in error.value.hint
    assert bool(error.value.hint) is bool(hint)
    assert_tells(str(error.value))


def test_the_most_literal_rule_is_named() -> None:
    texts = ["GET /a/{x...}", "GET /a/{x}", "GET /a/b", "GET /a/{x}:v"]
    table = RuleTable(map(parse_rule, texts))
    named = {path: table.match("GET", path.split("/")) for path in ("a/b", "a/c", "a/c:v", "a/c:w", "a/b/c")}
    assert {path: rule and rule.text for path, rule in named.items()} == {
        "a/b": "GET /a/b",
        "a/c": "GET /a/{x}",
        "a/c:v": "GET /a/{x}:v",
        "a/c:w": "GET /a/{x...}",
        "a/b/c": "GET /a/{x...}",
    }


def test_a_dead_end_does_not_hide_another_rule() -> None:
    table = RuleTable(map(parse_rule, ["GET /a/b/c", "GET /a/{x}/d"]))
    rule = table.match("GET", ["a", "b", "d"])
    assert rule is not None
    assert rule.text == "GET /a/{x}/d"


COVERS = [
    ("GET /a/{x...}", "GET /a/b", True),
    ("GET /a/{x...}", "GET /a/{y}/c", True),
    ("GET /a/{x}", "GET /a/b", True),
    ("GET /a/{x}", "GET /a/b:v", False),
    ("GET /a/{x}:v", "GET /a/b:v", True),
    ("GET /a/{x}:v", "GET /a/{y}:v", True),
    ("GET /a/{x}", "GET /a/{y...}", False),
    ("GET /a/{x...}", "GET /a/{y...}", True),
    ("GET /a/{x...}", "POST /a/b", False),
    ("GET /a/b", "GET /a/{x}", False),
]


@pytest.mark.parametrize(("broad", "narrow", "expected"), COVERS)
def test_covers_says_whether_every_call_of_a_rule_is_matched(broad: str, narrow: str, expected: bool) -> None:
    assert (RuleTable([parse_rule(broad)]).covers(parse_rule(narrow)) is not None) is expected


# A small alphabet, so that rules and paths meet often.
_segment = st.sampled_from(["a", "b", "a:v", "b:w", "{x}", "{x}:v"])
_rule = st.builds(
    lambda method, segments, rest: (
        f"{method} /" + "/".join(_numbered([*segments, *(["{r...}"] if rest else [])]))
    ),
    st.sampled_from(METHODS[:3]),
    st.lists(_segment, min_size=1, max_size=4),
    st.booleans(),
)


def _numbered(segments: list[str]) -> list[str]:
    return [segment.replace("{x", f"{{x{index}") for index, segment in enumerate(segments)]


def _agrees(rule: Rule, method: str, path: list[str]) -> bool:
    """An independent, slow reading of what a rule means."""
    segments = rule.template.segments
    if method != rule.method:
        return False
    if isinstance(segments[-1], Rest):
        if len(path) < len(segments):
            return False
        segments = segments[:-1]
    elif len(path) != len(segments):
        return False
    for segment, part in zip(segments, path, strict=False):
        if isinstance(segment, Literal):
            if segment.text != part:
                return False
        elif isinstance(segment, Variable):
            name, _, verb = part.partition(":")
            if (verb or None) != segment.verb or not name:
                return False
    return True


@given(
    st.lists(_rule, max_size=12),
    st.sampled_from(METHODS[:3]),
    st.lists(st.sampled_from(["a", "b", "a:v", "b:w", "c", ":v", "c:v"]), min_size=1, max_size=5),
)
def test_the_table_matches_exactly_when_some_rule_does(
    texts: list[str], method: str, path: list[str]
) -> None:
    rules = [parse_rule(text) for text in texts]
    found = RuleTable(rules).match(method, path)
    assert (found is not None) is any(_agrees(rule, method, path) for rule in rules)
    if found is not None:
        assert _agrees(found, method, path)


_FITTING = {"{x}": ["{x}", "a", "b"], "{x}:v": ["{x}:v", "a:v"]}
_ANY = ["a", "b", "a:v", "b:w", "{x}", "{x}:v"]


@st.composite
def _broad_narrow_and_path(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    """A rule, one made of it that is narrower (and now and then is not), and a path that the narrower one matches."""
    broad = draw(st.lists(_segment, min_size=1, max_size=3))
    narrow = [draw(st.sampled_from(_FITTING.get(each, [each]))) for each in broad]
    if rest := draw(st.booleans()):
        narrow += draw(st.lists(_segment, min_size=1, max_size=2))
    if draw(st.integers(0, 3)) == 0:
        narrow[draw(st.integers(0, len(narrow) - 1))] = draw(st.sampled_from(_ANY))
    path = [
        each.replace("{x}", draw(st.sampled_from(["a", "b", "c"]))) if "{" in each else each
        for each in narrow
    ]
    if rest and draw(st.booleans()):
        narrow.append("{r...}")
        path += draw(st.lists(st.sampled_from(["a", "b:w", "c:v"]), min_size=1, max_size=2))
    return (
        "GET /" + "/".join(_numbered([*broad, *(["{r...}"] if rest else [])])),
        "GET /" + "/".join(_numbered(narrow)),
        path,
    )


@reaching(0.4, _broad_narrow_and_path())
@settings(max_examples=examples(300))
def test_a_covered_rule_matches_nothing_of_its_own(drawn: tuple[str, str, list[str]]) -> bool:
    table, rule = RuleTable([parse_rule(drawn[0])]), parse_rule(drawn[1])
    assert _agrees(rule, "GET", drawn[2])
    if table.covers(rule) is None:
        return False
    assert table.match("GET", drawn[2]) is not None
    return True


def test_one_segment_and_the_rest_are_not_equal() -> None:
    assert parse_rule("GET /a/{x}").template != parse_rule("GET /a/{x...}").template
    assert len({parse_rule("GET /a/{x}").template, parse_rule("GET /a/{x...}").template}) == 2


_PARTS = ["a", "b", "c", "a:v", "b:w", "c:v", "c:w"]
_PATHS = [list(path) for length in range(1, 5) for path in itertools.product(_PARTS, repeat=length)]
_short_rule = st.builds(
    lambda segments, rest: "GET /" + "/".join(_numbered([*segments, *(["{r...}"] if rest else [])])),
    st.lists(_segment, min_size=1, max_size=3),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_short_rule, max_size=3), _short_rule)
def test_two_rules_meet_exactly_where_some_path_is_matched_by_both(texts: list[str], text: str) -> None:
    rules, rule = [parse_rule(each) for each in texts], parse_rule(text)
    paths = [path for path in _PATHS if _agrees(rule, "GET", path)]
    shared = {str(other.template) for other in rules if any(_agrees(other, "GET", path) for path in paths)}
    assert {str(other.template) for other in RuleTable(rules).meeting(rule)} == shared


CATALOGUE = RuleTable(
    [
        Rule("POST", parse_catalogue_template(path), path)
        for path in (
            "/api/2.0/permissions/{type}/{id}",
            "/api/2.0/permissions/authorization/tokens",
            "/api/2.0/{name=sandboxes/*}/start",
            "/api/2.0/files/{path...}",
            "/api/2.0/{name...}:run",
            "/api/2.0/x/{name...}/close",
        )
    ]
)
SANDBOX = "/api/2.0/{name=sandboxes/*}/start"
TOKENS = "/api/2.0/permissions/authorization/tokens"
MEETING = [
    ("POST /api/2.0/permissions/{a}/{b}", {"/api/2.0/permissions/{type}/{id}", TOKENS}),
    ("POST /api/2.0/permissions/jobs/7", {"/api/2.0/permissions/{type}/{id}"}),
    ("POST /api/2.0/permissions/jobs", set()),
    ("POST /api/2.0/sandboxes/{x}/start", {"/api/2.0/{name=sandboxes/*}/start"}),
    ("POST /api/2.0/{a}/b/start", {SANDBOX, "/api/2.0/files/{path...}", "/api/2.0/permissions/{type}/{id}"}),
    ("POST /api/2.0/files/a/b/c", {"/api/2.0/files/{path...}"}),
    ("POST /api/2.0/files/a:run", {"/api/2.0/files/{path...}", "/api/2.0/{name...}:run"}),
    ("POST /api/2.0/x/a/b/close", {"/api/2.0/x/{name...}/close"}),
    ("POST /api/2.0/x/a/{rest...}", {"/api/2.0/{name...}:run", "/api/2.0/x/{name...}/close"}),
    ("GET /api/2.0/files/a", set()),
]


@pytest.mark.parametrize(("text", "expected"), MEETING)
def test_a_rule_meets_calls_of_a_catalogue(text: str, expected: set[str]) -> None:
    assert {rule.text for rule in CATALOGUE.meeting(parse_rule(text))} == expected


HEADED = RuleTable(
    [
        Rule(method, parse_catalogue_template(path), f"{method} {path}")
        for method, path in (
            ("GET", "/a"),
            ("GET", "/a/{name}"),
            ("HEAD", "/a/{name}/own"),
            ("GET", "/a/{name}/own"),
            ("POST", "/b"),
        )
    ]
)
HEADED.answer_heads()
HEADS = {
    "a HEAD of a GET": ("HEAD", "a", "GET /a"),
    "a HEAD of a GET with a variable": ("HEAD", "a/x", "GET /a/{name}"),
    "a HEAD that is its own": ("HEAD", "a/x/own", "HEAD /a/{name}/own"),
    "its GET": ("GET", "a/x/own", "GET /a/{name}/own"),
    "a HEAD of a POST": ("HEAD", "b", None),
    "a HEAD of nothing": ("HEAD", "c", None),
    "another method of a GET": ("OPTIONS", "a", None),
}


@pytest.mark.parametrize(("method", "path", "expected"), HEADS.values(), ids=HEADS)
def test_a_head_is_of_the_get_where_it_has_no_rule_of_its_own(
    method: str, path: str, expected: str | None
) -> None:
    found = HEADED.match(method, path.split("/"))
    assert (found and found.text) == expected


def test_no_head_is_answered_where_nobody_asked_for_it() -> None:
    assert RuleTable([parse_rule("GET /a")]).match("HEAD", ["a"]) is None
    assert RuleTable([parse_rule("GET /a")]).covers(parse_rule("HEAD /a")) is None


def test_what_covers_and_meets_a_rule_for_heads() -> None:
    covered = HEADED.covers(parse_rule("HEAD /a/{x}"))
    assert covered
    assert covered.text == "GET /a/{name}"
    assert HEADED.covers(parse_rule("HEAD /b")) is None
    assert {rule.text for rule in HEADED.meeting(parse_rule("HEAD /a/{x}/own"))} == {
        "HEAD /a/{name}/own",
        "GET /a/{name}/own",
    }
    assert {rule.text for rule in HEADED.meeting(parse_rule("GET /a/{x}/own"))} == {"GET /a/{name}/own"}
