"""Templates of paths, also those of the catalogue, and the values that a path gives their variables."""

from __future__ import annotations

import pytest

from brickscope.core.template import (
    Literal,
    Rest,
    Segment,
    Template,
    TemplateError,
    Variable,
    bind,
    parse_catalogue_template,
    parse_template,
)
from core.refusal import assert_tells

PARSED: dict[str, tuple[str, tuple[Segment, ...]]] = {
    "literals": ("/api/2.0/jobs", (Literal("api"), Literal("2.0"), Literal("jobs"))),
    "a variable": ("/jobs/{id}", (Literal("jobs"), Variable("id"))),
    "a verb": ("/e/{name}:query", (Literal("e"), Variable("name", "query"))),
    "the rest": ("/fs/{path...}", (Literal("fs"), Rest("path"))),
    "a literal with a colon": ("/listings:batchGet", (Literal("listings:batchGet"),)),
    "signs that need no encoding": ("/a!$&'()+,=@~_-.b", (Literal("a!$&'()+,=@~_-.b"),)),
    "letters beyond ASCII": ("/caf\u00e9/{x}", (Literal("caf\u00e9"), Variable("x"))),
    "blanks and capitals": ('/Next X/"X"', (Literal("Next X"), Literal('"X"'))),
    "dots in a name": ("/.../.x", (Literal("..."), Literal(".x"))),
}
CATALOGUE: dict[str, tuple[str, tuple[Segment, ...]]] = {
    "as in rules": ("/a/{b}", (Literal("a"), Variable("b"))),
    "a rest before the end": ("/x/{name...}/close", (Literal("x"), Rest("name"), Literal("close"))),
    "a rest with a verb": ("/x/{name...}:run", (Literal("x"), Rest("name", "run"))),
    "a shaped variable": (
        "/a/{name=sandboxes/*}/start",
        (Literal("a"), Literal("sandboxes", "name"), Variable("name"), Literal("start")),
    ),
    "a shaped variable at the end": ("/a/{name=x/*}", (Literal("a"), Literal("x", "name"), Variable("name"))),
    "a shaped variable of several": (
        "/{name=projects/*/branches/*}",
        (Literal("projects", "name"), Variable("name"), Literal("branches", "name"), Variable("name")),
    ),
    "with a verb": (
        "/a/{name=x/*}:run",
        (Literal("a"), Literal("x", "name"), Variable("name", "run")),
    ),
    "with a verb after a fixed part": (
        "/a/{name=*/x}:run",
        (Literal("a"), Variable("name"), Literal("x", "name")),
    ),
    "with a verb, of several": (
        "/{name=x/*/y/*}:run",
        (Literal("x", "name"), Variable("name"), Literal("y", "name"), Variable("name", "run")),
    ),
    "the rest in a shape": ("/a/{name=x/**}", (Literal("a"), Literal("x", "name"), Rest("name"))),
    "the rest in a shape with a verb": (
        "/a/{name=x/**}:run",
        (Literal("a"), Literal("x", "name"), Rest("name", "run")),
    ),
    "two shaped variables": (
        "/a/{one=x/*}/b/{other=y/*}/c",
        (
            Literal("a"),
            Literal("x", "one"),
            Variable("one"),
            Literal("b"),
            Literal("y", "other"),
            Variable("other"),
            Literal("c"),
        ),
    ),
    "an equals sign of a literal": ("/a=b/{c}", (Literal("a=b"), Variable("c"))),
    "a shaped variable first": ("/{name=x/*}/b", (Literal("x", "name"), Variable("name"), Literal("b"))),
}


@pytest.mark.parametrize(("text", "segments"), PARSED.values(), ids=PARSED)
def test_a_template_is_read_segment_by_segment(text: str, segments: tuple[Segment, ...]) -> None:
    assert parse_template(text) == Template(segments)
    assert str(parse_template(text)) == text
    assert parse_template(text, catalogue=True) == Template(segments)


@pytest.mark.parametrize(("text", "segments"), CATALOGUE.values(), ids=CATALOGUE)
def test_a_template_of_the_catalogue_is_read(text: str, segments: tuple[Segment, ...]) -> None:
    found = parse_catalogue_template(text)
    assert found == Template(segments)
    assert [type(each) for each in found.segments] == [type(each) for each in segments]


def test_the_canonical_text() -> None:
    template = Template((Literal("a"), Variable("b"), Variable("c", "v"), Rest("d"), Rest("e", "w")))
    assert str(template) == "/a/{b}/{c}:v/{d...}/{e...}:w"
    assert str(Template(())) == ""


# the text, where in it, some words of the message, the hint
WRONG = {
    "nothing": ("", 0, "starts with '/'", "/api/..."),
    "no slash": ("api", 0, "starts with '/'", "/api"),
    "a trailing slash": ("/api/", 4, "one trailing slash", ""),
    "an empty segment": ("/api//x", 5, "empty segment", ""),
    "an empty segment first": ("//x", 1, "empty segment", ""),
    "a dot segment": ("/a/./b", 3, "a dot segment ('.')", ""),
    "a double dot segment": ("/a/b/..", 5, "a dot segment ('..')", ""),
    "a query": ("/api/a?x=1", 6, "no query", ""),
    "a fragment": ("/api#x", 4, "a comment has a blank before it", ""),
    "a backslash": ("/ab\\c", 3, "is not allowed", ""),
    "a semicolon": ("/ab;c", 3, "is not allowed", ""),
    "a star": ("/a/*", 3, "is not allowed", "write {name} for one segment, {name...} for the rest"),
    "white space at a segment's end": ("/a/b /c", 4, "white space", ""),
    "white space at a segment's beginning": ("/a/ b", 3, "white space", ""),
    "a segment of white space": ("/a/ ", 3, "white space", ""),
    "a blank that does not break": ("/a/b\u00a0c", 4, "white space", ""),
    "a tab": ("/a\tb", 2, "white space", ""),
    "a control character": ("/a\x00", 2, "control character", ""),
    "DEL": ("/a\x7f", 2, "control character", ""),
    "percent-encoding": ("/a/b%20c", 4, "written decoded", "write 'b c'"),
    "percent-encoding of what is no text": ("/%ff", 1, "written decoded", "write '\ufffd'"),
    "half a variable": ("/a/x{id", 4, "a whole segment", ""),
    "the other half": ("/a/xid}", 6, "a whole segment", ""),
    "a variable behind something": (
        "/a/v{id}",
        4,
        "a whole segment",
        "write {id} for all of it, or name the operation and limit its parameter by {prefix: 'v'}",
    ),
    "a variable before something": ("/a/{id}_v", 3, "a whole segment", "write {id} for all of it"),
    "a variable between dots": (
        "/a/main.{t}",
        8,
        "a whole segment",
        "write {t} for all of it, or name the operation and limit its parameter by {pattern: 'main.{t}'}",
    ),
    "a brace the wrong way": ("/a/}x{", 3, "a whole segment", ""),
    "a variable without a name": ("/a/{}", 3, "a whole segment", ""),
    "a variable whose name is a number": ("/a/{1}", 3, "a whole segment", ""),
    "a verb that begins with a digit": ("/a/{x}:1", 3, "a whole segment", "write {x} for all of it"),
    "a rest before the end": ("/a/{x...}/b", 3, "{x...} means the rest of the path", ""),
    "a rest with a verb": ("/a/{x...}:v", 3, "{x...} means the rest of the path", ""),
    "a variable twice": ("/a/{x}/{y}/{x}", 11, "{x} appears twice", ""),
    "a variable twice, once as the rest": ("/{x}/b/{x...}", 7, "{x} appears twice", ""),
}


@pytest.mark.parametrize(("text", "offset", "words", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_no_template_is_told_with_its_place(text: str, offset: int, words: str, hint: str) -> None:
    with pytest.raises(TemplateError) as error:
        parse_template(text)
    assert_tells(str(error.value))
    assert words in str(error.value)
    assert (error.value.offset, error.value.hint) == (offset, hint)


def test_what_the_catalogue_may_not_have_either() -> None:
    for text in ("/a/{x...}:v/b", "/a/{x}/{x}", "/a//b", "a", "/a/{x=y/*}/{z"):
        with pytest.raises(TemplateError):
            parse_catalogue_template(text)


BOUND: dict[str, tuple[str, str, dict[str, str]]] = {
    "nothing": ("/a/b", "a/b", {}),
    "one": ("/a/{b}", "a/x", {"b": "x"}),
    "two": ("/{a}/b/{c}", "x/b/y", {"a": "x", "c": "y"}),
    "a verb can't be part of a value": ("/a/{b}:run", "a/x:run", {"b": "x"}),
    "only one verb is taken off": ("/a/{b}:run", "a/run:run", {"b": "run"}),
    "the rest": ("/a/{b...}", "a/x/y/z", {"b": "x/y/z"}),
    "a rest of one": ("/a/{b...}", "a/x", {"b": "x"}),
    "a rest before the end": ("/a/{b...}/c", "a/x/y/c", {"b": "x/y"}),
    "a rest before two more": ("/a/{b...}/c/{d}", "a/x/y/z/c/w", {"b": "x/y/z", "d": "w"}),
    "a rest that looks like what follows": ("/a/{b...}/c", "a/c/c/c", {"b": "c/c"}),
    "a rest with a verb": ("/a/{b...}:run", "a/x/y:run", {"b": "x/y"}),
    "a shaped variable": ("/a/{n=x/*}/b", "a/x/1/b", {"n": "x/1"}),
    "a shaped variable with a verb": ("/a/{n=x/*}:run", "a/x/1:run", {"n": "x/1"}),
    "a shaped variable of several": ("/{n=x/*/y/*}", "x/1/y/2", {"n": "x/1/y/2"}),
    "a shaped variable with a rest": ("/a/{n=x/**}", "a/x/1/2", {"n": "x/1/2"}),
    "no verb, and a value that looks like none": ("/a/{b...}", "a/x:None", {"b": "x:None"}),
    "colons in a value": ("/a/{b...}", "a/10:30", {"b": "10:30"}),
}


@pytest.mark.parametrize(("text", "path", "values"), BOUND.values(), ids=BOUND)
def test_the_values_of_variables(text: str, path: str, values: dict[str, str]) -> None:
    assert bind(parse_catalogue_template(text), path.split("/")) == values
