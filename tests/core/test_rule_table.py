"""Tables of rules, also those of the catalogue: which rule a path finds, covers and meets."""

from __future__ import annotations

import pytest

from brickscope.core.rule import Rule, RuleTable, parse_rule
from brickscope.core.template import TemplateError, parse_catalogue_template, parse_template


def catalogue(*texts: str) -> RuleTable:
    """A table of templates in the language of the catalogue, all of one method, each named by its template."""
    return RuleTable([Rule("GET", parse_catalogue_template(text), text) for text in texts])


REST = catalogue(
    "/x/{name...}/close",
    "/x/{name...}",
    "/x/{name...}:run",
    "/x/lit/close",
    "/v/{one}/{rest...}",
    "/v/{one}:go/{rest...}",
    "/w/{name...}/{id}",
    "/s/{name=projects/*}/end",
    "/s/{name=projects/*}:run",
    "/deep/{name...}:run",
)
FOUND = {
    "x/a/close": "/x/{name...}/close",
    "x/a/b/c/close": "/x/{name...}/close",
    "x/lit/close": "/x/lit/close",
    "x/close": "/x/{name...}",
    "x/a/close/b": "/x/{name...}",
    "x/a": "/x/{name...}",
    "x": None,
    "x/a:run": "/x/{name...}:run",
    "x/a/b:run": "/x/{name...}:run",
    "x/a/b:walk": "/x/{name...}",
    "x/a/:run": "/x/{name...}",
    "x/a/b:c:run": "/x/{name...}",
    "x/a:run/b": "/x/{name...}",
    "x/" + "/".join(["a"] * 16) + "/close": "/x/{name...}/close",
    "x/" + "/".join(["a"] * 17) + "/close": "/x/{name...}",
    "v/a/b": "/v/{one}/{rest...}",
    "v/a:go/b": "/v/{one}:go/{rest...}",
    "v/a:went/b": None,
    "v/a": None,
    "w/a/b": "/w/{name...}/{id}",
    "w/a": None,
    "w/a/b/c": "/w/{name...}/{id}",
    "w/a/b:c": None,
    "s/projects/p/end": "/s/{name=projects/*}/end",
    "s/projects/p:run": "/s/{name=projects/*}:run",
    "s/projects/p": None,
    "s/others/p/end": None,
    "deep/a:run": "/deep/{name...}:run",
    "deep/a": None,
    "deep/a/b:run": "/deep/{name...}:run",
}


@pytest.mark.parametrize(("path", "text"), FOUND.items(), ids=range(len(FOUND)))
def test_the_operation_of_a_path(path: str, text: str | None) -> None:
    found = REST.match("GET", path.split("/"))
    assert (found and found.text) == text
    assert REST.match("POST", path.split("/")) is None


def test_the_first_of_two_equal_rules_is_found() -> None:
    for text in ("/a", "/{x}", "/{x...}", "/{x...}:run"):
        first, second = (Rule("GET", parse_catalogue_template(text), name) for name in ("first", "second"))
        path = ["b:run" if ":" in text else "b" if "{" in text else "a"]
        assert RuleTable([first, second]).match("GET", path) is first
        assert RuleTable([first, second]).rules == (first, second)


def test_a_dead_end_below_each_kind_of_segment_does_not_hide_another_rule() -> None:
    table = catalogue("/{a}/x", "/{b}:v/x", "/{c...}/y", "/lit/z")
    assert {
        path: (found and found.text)
        for path in ("lit/x", "lit/y", "a:v/x", "a:v/y", "lit/z", "a/z")
        for found in [table.match("GET", path.split("/"))]
    } == {
        "lit/x": "/{a}/x",
        "lit/y": "/{c...}/y",
        "a:v/x": "/{b}:v/x",
        "a:v/y": "/{c...}/y",
        "lit/z": "/lit/z",
        "a/z": None,
    }


def test_the_mirror_of_a_path() -> None:
    table = RuleTable([parse_rule("GET /api/a"), parse_rule("POST /other/a"), parse_rule("GET /{x}/b")])
    table.mirror("api", "ajax-api")
    found = table.match("GET", ["ajax-api", "a"])
    assert found is not None
    assert found.text == "GET /api/a"
    assert table.match("GET", ["api", "a"]) is found
    assert table.match("POST", ["ajax-api", "a"]) is None
    beside = table.match("GET", ["ajax-api", "b"])
    assert beside is not None
    assert beside.text == "GET /{x}/b"
    assert table.match("GET", ["other", "a"]) is None


COVERING = [
    # a table, a rule, which rule of the table covers it
    (["GET /a/{x...}", "GET /a/b"], "GET /a/b", "GET /a/{x...}"),
    (["GET /a/b"], "GET /a/b", "GET /a/b"),
    (["GET /a/{x}/c", "GET /a/b/d"], "GET /a/b/c", "GET /a/{x}/c"),
    (["GET /a/{x}:v/c"], "GET /a/b:v/c", "GET /a/{x}:v/c"),
    (["GET /a/{x}:v/c"], "GET /a/{y}:v/c", "GET /a/{x}:v/c"),
    (["GET /a/{x}:v"], "GET /a/{y}:w", None),
    (["GET /a/{x}:v"], "GET /a/{y}", None),
    (["GET /a/{x}"], "GET /a/{y}:v", None),
    (["GET /a/{x}:v"], "GET /a/b:c:v", None),
    (["GET /a/{x}:v"], "GET /a/:v", None),
    (["GET /a/{x}/{y}"], "GET /a/b", None),
    (["GET /a"], "GET /a/b", None),
    (["GET /a/b/c"], "GET /a/b", None),
    (["GET /{x...}"], "GET /a/{y...}", "GET /{x...}"),
    (["GET /a/b"], "GET /a/{y...}", None),
    (["GET /a/{x}/c"], "GET /a/{y}/c", "GET /a/{x}/c"),
    (["GET /a/{x}/c"], "GET /a/{y}/d", None),
    (["POST /a/b"], "GET /a/b", None),
    ([], "GET /a", None),
]


@pytest.mark.parametrize(("texts", "text", "expected"), COVERING)
def test_which_rule_covers_another(texts: list[str], text: str, expected: str | None) -> None:
    found = RuleTable(map(parse_rule, texts)).covers(parse_rule(text))
    assert (found and found.text) == expected


def test_a_rule_does_not_cover_itself_where_that_is_not_asked() -> None:
    for text in ("GET /a/b", "GET /a/{x}", "GET /a/{x...}"):
        rule = parse_rule(text)
        assert RuleTable([rule]).covers(rule) is rule
        assert RuleTable([rule]).covers(rule, besides=rule) is None
        wider = parse_rule("GET /{all...}")
        assert RuleTable([wider, rule]).covers(rule, besides=rule) is wider
        assert RuleTable([wider, rule]).covers(wider, besides=wider) is None


# a table, a rule, which rules of the table match some path of it
MET = [
    (["/{r...}", "/a/{r...}", "/a/b"], "GET /a/b", {"/{r...}", "/a/{r...}", "/a/b"}),
    (["/{n...}:run", "/x/{n...}:run", "/x/{n...}:walk"], "GET /x/a:run", {"/{n...}:run", "/x/{n...}:run"}),
    (["/a/b", "/a/c", "/a/b/c", "/b"], "GET /a/{r...}", {"/a/b", "/a/c", "/a/b/c"}),
    (
        ["/a/{x}", "/a/{x}:v", "/a/{r...}", "/a/{r...}:w"],
        "GET /a/{r...}",
        {"/a/{x}", "/a/{x}:v", "/a/{r...}", "/a/{r...}:w"},
    ),
    (["/a", "/a/{r...}/z"], "GET /a/{r...}", {"/a/{r...}/z"}),
    (["/a/{r...}/z/y"], "GET /a/{r...}", {"/a/{r...}/z/y"}),
    (["/a/b", "/a/b:v", "/a/c:v"], "GET /a/{x}", {"/a/b"}),
    (["/a/b", "/a/b:v", "/a/c:v", "/a/c:w", "/a/:v"], "GET /a/{x}:v", {"/a/b:v", "/a/c:v"}),
    (["/a/{x}", "/a/{x}:v"], "GET /a/b", {"/a/{x}"}),
    (["/a/{x}", "/a/{x}:v"], "GET /a/b:v", {"/a/{x}:v"}),
    (["/a/{x}", "/a/{x}:v"], "GET /a/{y}", {"/a/{x}"}),
    (["/a/{x}", "/a/{x}:v", "/a/{x}:w"], "GET /a/{y}:v", {"/a/{x}:v"}),
    (["/a/{x}:v/b", "/a/{x}/b", "/a/y:v/b", "/a/y/b"], "GET /a/{z}/b", {"/a/{x}/b", "/a/y/b"}),
    (["/a/{x}:v/b", "/a/{x}/b", "/a/y:v/b", "/a/y/b"], "GET /a/{z}:v/b", {"/a/{x}:v/b", "/a/y:v/b"}),
    (["/a/{n...}:run"], "GET /a/b", set()),
    (["/a/{n...}:run"], "GET /a/{x}", set()),
    (["/a/{n...}:run"], "GET /a/{x}:run", {"/a/{n...}:run"}),
    (["/a/{n...}:run"], "GET /a/{x}:walk", set()),
    (["/a/{n...}:run"], "GET /a/b:c:run", set()),
    (["/a/{n...}:run"], "GET /a/:run", set()),
    (["/a/{n...}/z", "/a/{n...}/{id}/z"], "GET /a/b/z", {"/a/{n...}/z"}),
    (["/a/{n...}/z", "/a/{n...}/{id}/z"], "GET /a/b/c/z", {"/a/{n...}/z", "/a/{n...}/{id}/z"}),
    (["/a/{n...}/z"], "GET /a/{x}/{r...}", {"/a/{n...}/z"}),
    (["/a/{n...}/z"], "GET /a/z", set()),
    (["/a/b"], "POST /a/b", set()),
    (["/a/b/c"], "GET /a/b", set()),
    (["/a"], "GET /a/b", set()),
]


@pytest.mark.parametrize(("texts", "text", "expected"), MET)
def test_which_rules_another_meets(texts: list[str], text: str, expected: set[str]) -> None:
    found = [rule.text for rule in catalogue(*texts).meeting(parse_rule(text))]
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
def test_the_methods_that_a_rule_can_name(method: str) -> None:
    assert parse_rule(f"{method} /a/{{b}}") == Rule(method, parse_template("/a/{b}"), f"{method} /a/{{b}}")
    with pytest.raises(TemplateError, match="is not a method that a rule can name") as error:
        parse_rule(f"{method.lower()} /a")
    assert error.value.hint == f"write {method}"


def test_what_is_no_rule_is_told_with_an_example() -> None:
    for text, hint in (
        ("/a/b", "GET /a/b"),
        ("", "GET /api/2.1/unity-catalog/catalogs"),
        ("GET ", "GET /api/2.1/unity-catalog/catalogs"),
    ):
        with pytest.raises(TemplateError, match="a rule is METHOD and /path") as error:
            parse_rule(text)
        assert (error.value.offset, error.value.hint) == (0, hint)
    with pytest.raises(TemplateError, match=r"TRACE.*DELETE, GET, HEAD") as error:
        parse_rule("TRACE /a")
    assert (error.value.offset, error.value.hint) == (0, "")
