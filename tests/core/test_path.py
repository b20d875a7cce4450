"""The reading of request targets: what passes, what is refused, and why."""

from __future__ import annotations

import pytest
from hypothesis import example, settings
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.path import read_target
from brickscope.core.reason import Reason
from core.refusal import refusal, tried
from reaching import reaching

PATH, QUERY, FORM = Reason.PATH_NOT_CANONICAL, Reason.QUERY_NOT_CANONICAL, Reason.TARGET_NOT_ORIGIN_FORM

CANONICAL = {
    "a plain path": (b"/api/2.1/unity-catalog/catalogs", ("api", "2.1", "unity-catalog", "catalogs")),
    "one trailing slash is the same call": (b"/api/2.0/sql/statements/", ("api", "2.0", "sql", "statements")),
    "the root": (b"/", ()),
    "an encoded space": (b"/Volumes/a%20b", ("Volumes", "a b")),
    "an encoded at sign": (b"/Users/me%40example.com", ("Users", "me@example.com")),
    "a raw at sign": (b"/Users/me@example.com", ("Users", "me@example.com")),
    "a UTF-8 name": (b"/Volumes/caf%C3%A9", ("Volumes", "caf\u00e9")),
    "a UTF-8 name in lower-case hex": (b"/Volumes/caf%c3%a9", ("Volumes", "caf\u00e9")),
    "a name in Japanese": (b"/f/%E6%97%A5%E6%9C%AC.csv", ("f", "\u65e5\u672c.csv")),
    "a dotted name": (b"/tables/main.default.t", ("tables", "main.default.t")),
    "a segment of three dots": (b"/a/.../b", ("a", "...", "b")),
    "a hidden file": (b"/a/.ssh", ("a", ".ssh")),
    "a colon verb": (b"/endpoints/e:query", ("endpoints", "e:query")),
    "an encoded colon": (b"/files/10%3A30", ("files", "10:30")),
    "sub-delimiters": (b"/a!$&'()*+,=~_-", ("a!$&'()*+,=~_-",)),
    "an encoded percent sign before no hex digits": (b"/files/100%25.csv", ("files", "100%.csv")),
    "an encoded plus": (b"/files/a%2Bb", ("files", "a+b")),
}

REFUSED = {
    "a dot segment": (b"/api/./x", PATH),
    "a double dot segment": (b"/api/2.1/../2.0/sql/warehouses", PATH),
    "a double dot segment at the end": (b"/api/..", PATH),
    "a double dot before the trailing slash": (b"/api/../", PATH),
    "a double dot segment beside an escape": (b"/Volumes/a%20b/../../../x", PATH),
    "a double dot segment before an escape": (b"/Volumes/../a%20b", PATH),
    "a dot segment beside an escape": (b"/Volumes/a%20b/./x", PATH),
    "a double dot segment at the end, beside an escape": (b"/Volumes/a%20b/..", PATH),
    "an empty segment beside an escape": (b"/Volumes/a%20b//x", PATH),
    "two trailing slashes beside an escape": (b"/Volumes/a%20b//", PATH),
    "a semicolon beside an escape": (b"/Volumes/a%20b;x", PATH),
    "an encoded dot segment": (b"/api/%2e%2e/x", PATH),
    "a half encoded dot segment": (b"/api/.%2e/x", PATH),
    "an empty segment": (b"/api//x", PATH),
    "an empty segment at the start": (b"//api/x", PATH),
    "two trailing slashes": (b"/api/x//", PATH),
    "a backslash": (b"/api\\x", PATH),
    "an encoded backslash": (b"/api%5Cx", PATH),
    "an encoded slash": (b"/api%2Fx", PATH),
    "an encoded slash in lower case": (b"/api%2fx", PATH),
    "a semicolon": (b"/api/x;y=z", PATH),
    "an encoded semicolon": (b"/api/x%3By", PATH),
    "an encoded question mark": (b"/api/x%3Fy", PATH),
    "an encoded hash": (b"/api/x%23y", PATH),
    "a needlessly encoded letter": (b"/%61pi/x", PATH),
    "a needlessly encoded digit": (b"/api/%32.0", PATH),
    "a needlessly encoded tilde": (b"/%7Euser", PATH),
    "double encoding of a slash": (b"/api%252Fx", PATH),
    "double encoding of a dot": (b"/api/%252e%252e/x", PATH),
    "triple encoding": (b"/api/%25252e", PATH),
    "an encoded NUL": (b"/api/x%00", PATH),
    "an encoded line feed": (b"/api/x%0A", PATH),
    "an encoded carriage return": (b"/api/x%0D", PATH),
    "an encoded DEL": (b"/api/x%7F", PATH),
    "an encoded C1 control": (b"/api/x%C2%85", PATH),
    "an overlong slash": (b"/api%C0%AFx", PATH),
    "an overlong dot": (b"/api/%C0%AE%C0%AE/x", PATH),
    "a lone continuation byte": (b"/api/%80", PATH),
    "an encoded surrogate": (b"/api/%ED%A0%80", PATH),
    "latin-1 in encoding": (b"/api/caf%E9", PATH),
    "a fullwidth slash": (b"/api%EF%BC%8Fx", PATH),
    "a fullwidth dot": (b"/api/%EF%BC%8E%EF%BC%8E/x", PATH),
    "a division slash": (b"/api%E2%88%95x", PATH),
    "a two dot leader": (b"/api/%E2%80%A5/x", PATH),
    "a byte order mark": (b"/api/%EF%BB%BFx", PATH),
    "IIS style %u encoding": (b"/api/%u002fx", PATH),
    "a broken escape": (b"/api/%zz", PATH),
    "a cut escape": (b"/api/x%2", PATH),
    "a lone percent": (b"/api/100%", PATH),
    "a space": (b"/api/a b", PATH),
    "a tab": (b"/api/a\tb", PATH),
    "a line break": (b"/api/a\r\nb", PATH),
    "a NUL": (b"/api/\x00", PATH),
    "raw UTF-8": ("/api/caf\u00e9".encode(), PATH),
    "raw latin-1": (b"/api/caf\xe9", PATH),
    "braces": (b"/api/{x}", PATH),
    "a quotation mark": (b'/api/"x"', PATH),
    "angle brackets": (b"/api/<x>", PATH),
    "a bar": (b"/api/a|b", PATH),
    "a caret": (b"/api/a^b", PATH),
    "a backtick": (b"/api/a`b", PATH),
    "square brackets": (b"/api/[x]", PATH),
    "a fragment": (b"/api/x#y", PATH),
    "a fragment after the query": (b"/api/x?y#z", QUERY),
    "a space in the query": (b"/api/x?a b", QUERY),
    "a control in the query": (b"/api/x?a\x01", QUERY),
    "raw UTF-8 in the query": ("/api/x?caf\u00e9".encode(), QUERY),
    "a broken escape in the query": (b"/api/x?a=%zz", QUERY),
    "a backslash in the query": (b"/api/x?a\\b", QUERY),
    "nothing": (b"", FORM),
    "no slash": (b"api/x", FORM),
    "a whole URL": (b"https://other/api", FORM),
    "an asterisk": (b"*", FORM),
    "an authority": (b"host:443", FORM),
    "too much": (b"/" + b"a" * 16 * 1024, Reason.TOO_LARGE),
}


def test_the_longest_target() -> None:
    assert read_target(b"/" + b"a" * (16 * 1024 - 1)).segments == ("a" * (16 * 1024 - 1),)


@pytest.mark.parametrize(("raw", "segments"), CANONICAL.values(), ids=CANONICAL)
def test_canonical_paths_are_read(raw: bytes, segments: tuple[str, ...]) -> None:
    target = read_target(raw)
    assert target.segments == segments
    assert target.path == raw.decode()
    assert target.query is None


@pytest.mark.parametrize(("raw", "reason"), REFUSED.values(), ids=REFUSED)
def test_everything_with_two_readings_is_refused(raw: bytes, reason: Reason) -> None:
    assert refusal(read_target, raw)[0] is reason


@pytest.mark.parametrize(
    "query", ["", "a=1", "a=%20b", "a=1&a=2", 'filter={"a":[1]}', "path=/Users/me%40x", "x?y"]
)
def test_queries_are_kept_as_sent(query: str) -> None:
    assert read_target(b"/a?" + query.encode()).query == query


_PIECES = [
    b"a",
    b"Volumes",
    b".",
    b"..",
    b"/",
    b"/",
    b"%20",
    b"%2F",
    b"%2e",
    b"%25",
    b"\xff",
    b";",
    b"?",
    b"x=1",
    b":v",
]


@reaching(0.15, st.lists(st.sampled_from(_PIECES[:7]) | st.sampled_from(_PIECES), max_size=9).map(b"".join))
@settings(max_examples=300)
@example(b"/%2e")
@example(b"/a%2F..")
def test_any_bytes_are_read_or_refused_and_reading_again_changes_nothing(raw: bytes) -> bool:
    target = tried(read_target, b"/" + raw)
    if isinstance(target, Refused):
        return False
    again = read_target(
        target.path.encode() + (b"" if target.query is None else b"?" + target.query.encode())
    )
    assert again == target
    for segment in target.segments:
        assert segment not in ("", ".", "..")
        assert not set(segment) & set("/\\;?#\x00\r\n")
    return True


@reaching(
    0.1,
    st.lists(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=2),
)
def test_names_a_client_encodes_survive_or_are_refused_whole(names: list[str]) -> bool:
    from urllib.parse import quote

    raw = "/" + "/".join(quote(name, safe="") for name in names)
    found = tried(read_target, raw.encode())
    if isinstance(found, Refused):
        assert found.reason is PATH
        return False
    assert found.segments == tuple(names)
    return True
