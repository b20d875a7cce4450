"""The readings of request targets: which there are, what is refused, and why."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, settings
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.path import MAX_READINGS, MAX_TARGET, Reading, read_target
from brickscope.core.reason import Reason
from core.refusal import refusal, tried
from examples import examples
from reaching import reaching

PATH, QUERY, FORM = Reason.PATH_NOT_CANONICAL, Reason.QUERY_NOT_CANONICAL, Reason.TARGET_NOT_ORIGIN_FORM

ONE_READING = {
    "a plain path": (b"/api/2.1/unity-catalog/catalogs", ("api", "2.1", "unity-catalog", "catalogs")),
    "one trailing slash is the same call": (b"/api/2.0/sql/statements/", ("api", "2.0", "sql", "statements")),
    "the root": (b"/", ()),
    "an encoded space": (b"/Volumes/a%20b", ("Volumes", "a b")),
    "an encoded at sign": (b"/Users/me%40example.com", ("Users", "me@example.com")),
    "a raw at sign": (b"/Users/me@example.com", ("Users", "me@example.com")),
    "a UTF-8 name": (b"/Volumes/caf%C3%A9", ("Volumes", "caf\u00e9")),
    "a UTF-8 name in lower-case hex": (b"/Volumes/caf%c3%a9", ("Volumes", "caf\u00e9")),
    "a name in Japanese": (b"/f/%E6%97%A5%E6%9C%AC.csv", ("f", "\u65e5\u672c.csv")),
    "an ideographic full stop within a name": (b"/f/%E5%A3%B2%E3%80%82csv", ("f", "\u58f2\u3002csv")),
    "an emoji of several characters": (
        "/f/\U0001f469\u200d\U0001f680.csv",
        ("f", "\U0001f469\u200d\U0001f680.csv"),
    ),
    "a dotted name": (b"/tables/main.default.t", ("tables", "main.default.t")),
    "a segment of three dots": (b"/a/.../b", ("a", "...", "b")),
    "a hidden file": (b"/a/.ssh", ("a", ".ssh")),
    "a colon verb": (b"/endpoints/e:query", ("endpoints", "e:query")),
    "sub-delimiters": (b"/a!$&'()*+,=~_-", ("a!$&'()*+,=~_-",)),
    "raw brackets": (b"/a[1]", ("a[1]",)),
    "encoded sub-delimiters": (b"/a%26b%2Bc%2Cd%28e%29", ("a&b+c,d(e)",)),
    "an encoded percent sign before no hex digits": (b"/files/100%25.csv", ("files", "100%.csv")),
}

# What may be structure to some server: the paths of all readings, "|" between segments, "?" before a query that was cut off.
READINGS = {
    "an encoded slash": (b"/t/main.a.in%2Fout", ["t|main.a.in/out", "t|main.a.in|out"]),
    "an encoded slash in lower case": (b"/t/in%2fout", ["t|in/out", "t|in|out"]),
    "a whole path in one segment": (b"/i/Workspace%2Fp%2Fa.py", ["i|Workspace/p/a.py", "i|Workspace|p|a.py"]),
    "an encoded slash at the end": (b"/t/in%2F", ["t|in/", "t|in"]),
    "an encoded question mark": (b"/f/what%3F.csv", ["f|what?.csv", "f|what ?.csv"]),
    "an encoded question mark behind the root": (b"/%3Fa", ["?a", " ?a"]),
    "an encoded question mark before a query": (b"/f/a%3Fb?c=1", ["f|a?b ?c=1", "f|a ?b&c=1"]),
    "an encoded hash": (b"/t/main.a.f%23one", ["t|main.a.f#one", "t|main.a.f ?one"]),
    "a semicolon": (b"/v/x;y/z", ["v|x;y|z", "v|x|z", "v|x"]),
    "an encoded semicolon": (b"/v/x%3By", ["v|x;y", "v|x"]),
    "a semicolon before an encoded slash": (
        b"/v/x;y%2Fz",
        ["v|x;y/z", "v|x;y|z", "v|x|z", "v|x"],
    ),
    "a semicolon before an encoded question mark": (
        b"/v/x;y%3Fz=1",
        ["v|x;y?z=1", "v|x;y ?z=1", "v|x ?z=1", "v|x"],
    ),
    "an escape behind an escape": (b"/f/a%2541", ["f|a%41", "f|aA"]),
    "an escape behind an escape that is no UTF-8": (b"/f/50%25ab.csv", ["f|50%ab.csv", "f|50\ufffd.csv"]),
    "an encoded slash behind an escape": (b"/f/a%252Fb", ["f|a%2Fb", "f|a/b", "f|a|b"]),
    "an escape with an encoded digit": (b"/f/a%25%32Fb", ["f|a%2Fb", "f|a/b", "f|a|b"]),
    "the code units of IIS behind an escape": (b"/f/a%25u0041", ["f|a%u0041", "f|aA"]),
    "a name that is not composed": (b"/f/cafe%CC%81", ["f|cafe\u0301", "f|caf\u00e9"]),
    "full-width letters": ("/f/\uff41".encode(), ["f|\uff41", "f|a"]),
    "a blank at the end of a segment": (b"/f/a%20/b", ["f|a |b", "f|a|b"]),
    "a no-break space at the end": (b"/f/a%C2%A0", ["f|a\u00a0", "f|a"]),
}

# Literals and verbs are compared as sent by some servers: the routes of the two readings.
ROUTES = {
    "a needlessly encoded letter": (b"/%61pi/x", ("api", "x"), ("%61pi", "x")),
    "a needlessly encoded digit": (b"/api/%32.0", ("api", "2.0"), ("api", "%32.0")),
    "a needlessly encoded tilde": (b"/f/Q1%7Eold", ("f", "Q1~old"), ("f", "Q1%7Eold")),
    "a needlessly encoded underscore": (b"/f/a%5fb", ("f", "a_b"), ("f", "a%5Fb")),
    "an encoded colon": (b"/files/10%3A30", ("files", "10:30"), ("files", "10%3A30")),
    "an encoded dollar sign": (b"/%24exchange", ("$exchange",), ("%24exchange",)),
}

# Which behaviours of a server a reading takes, as the record and `explain` say it; in the order of the readings.
TOLD = {
    "an encoded slash": (b"/a%2Fb", ["", "split at '/'"]),
    "an encoded question mark": (b"/a%3Fb", ["", "cut at '?'"]),
    "an encoded hash": (b"/a%23b", ["", "cut at '#'"]),
    "a semicolon": (b"/v/x;y/z", ["", "parameters dropped", "cut at ';'"]),
    "an escape behind an escape": (b"/a%2541", ["", "decoded twice", "decoded twice, literals as sent"]),
    "a slash behind two encodings": (b"/a%252Fb", ["", "decoded twice", "decoded twice, split at '/'"]),
    "a needlessly encoded letter": (b"/%61", ["", "literals as sent"]),
    "the same beside an encoded slash": (
        b"/%61%2Fb",
        ["", "literals as sent", "split at '/'", "split at '/', literals as sent"],
    ),
    "a blank at the end of a segment": (b"/a%20/b", ["", "trimmed and normalised"]),
    "the same beside an encoded slash and a question mark": (
        b"/a%20/b%2Fc%3Fd",
        [
            "",
            "trimmed and normalised",
            "split at '/'",
            "split at '/', trimmed and normalised",
            "cut at '?'",
            "cut at '?', trimmed and normalised",
            "cut at '?', split at '/'",
            "cut at '?', split at '/', trimmed and normalised",
        ],
    ),
    "blanks before semicolons": (
        b"/a%20;b/c%20%3Bd",
        ["", *["parameters dropped"] * 2, "parameters dropped, parameters dropped", "cut at ';'"],
    ),
}


@pytest.mark.parametrize(("raw", "words"), TOLD.values(), ids=TOLD)
def test_a_reading_says_what_it_takes_a_server_for(raw: bytes, words: list[str]) -> None:
    assert [each.how for each in read_target(raw)] == words


DOTS = "dot segment"
REFUSED = {
    "a dot segment": (b"/api/./x", PATH, DOTS),
    "a double dot segment": (b"/api/2.1/../2.0/sql/warehouses", PATH, DOTS),
    "a double dot segment at the end": (b"/api/..", PATH, DOTS),
    "a double dot before the trailing slash": (b"/api/../", PATH, DOTS),
    "a raw double dot beside an escape": (b"/Volumes/a%20b/../../../x", PATH, DOTS),
    "an encoded dot segment": (b"/api/%2e%2e/x", PATH, DOTS),
    "a half encoded dot segment": (b"/api/.%2e/x", PATH, DOTS),
    "dots behind two encodings": (b"/api/%252e%252e/x", PATH, DOTS),
    "dots behind the code units of IIS": (b"/api/%25u002e%25u002e/x", PATH, DOTS),
    "one dot behind the code units of IIS": (b"/api/%25u002e/x", PATH, DOTS),
    "dots and a blank": (b"/api/..%20/x", PATH, DOTS),
    "a blank and dots": (b"/api/%20../x", PATH, DOTS),
    "dots and a no-break space": (b"/api/..%C2%A0/x", PATH, DOTS),
    "dots and a blank no eye sees": (b"/api/.%E2%80%8B./x", PATH, DOTS),
    "dots and a soft hyphen": (b"/api/..%C2%AD/x", PATH, DOTS),
    "dots and a Hangul filler": (b"/api/..%E3%85%A4/x", PATH, DOTS),
    "dots with parameters": (b"/api/..;x=1/y", PATH, DOTS),
    "encoded dots with encoded parameters": (b"/api/%2e%2e%3bx/y", PATH, DOTS),
    "dots after an encoded slash": (b"/x%2F%2E%2E%2Fother", PATH, DOTS),
    "dots after a slash behind two encodings": (b"/x%252F..%252Fother", PATH, DOTS),
    "dots before an encoded question mark": (b"/x/..%3Fa", PATH, DOTS),
    "a full-width dot": (b"/api/%EF%BC%8E%EF%BC%8E/x", PATH, DOTS),
    "a two dot leader": (b"/api/%E2%80%A5/x", PATH, DOTS),
    "a vertical two dot leader": (b"/api/%EF%B8%B0/x", PATH, DOTS),
    "ideographic full stops": (b"/api/%E3%80%82%E3%80%82/x", PATH, DOTS),
    "a half-width ideographic full stop": (b"/api/%EF%BD%A1/x", PATH, DOTS),
    "an empty segment": (b"/api//x", PATH, "empty segment"),
    "an empty segment at the start": (b"//api/x", PATH, "trailing slash"),
    "two trailing slashes": (b"/api/x//", PATH, "empty segment"),
    "an empty segment inside a name": (b"/i/a%2F%2Fb", PATH, "empty segment"),
    "a name that begins with a slash": (b"/i/%2Fa", PATH, "empty segment"),
    "a segment of parameters": (b"/i/;a/b", PATH, "empty segment"),
    "a segment of blanks": (b"/i/%20/b", PATH, "empty segment"),
    "a backslash": (b"/api\\x", PATH, "backslash"),
    "an encoded backslash": (b"/api%5Cx", PATH, "backslash"),
    "a backslash behind two encodings": (b"/api%255Cx", PATH, "backslash"),
    "triple encoding": (b"/api/%25252e", PATH, "three times"),
    "an encoded NUL": (b"/api/x%00", PATH, "control"),
    "an encoded line feed": (b"/api/x%0A", PATH, "control"),
    "an encoded carriage return": (b"/api/x%0D", PATH, "control"),
    "an encoded unit separator": (b"/api/x%1Fy", PATH, "control"),
    "an encoded DEL": (b"/api/x%7F", PATH, "control"),
    "a NUL behind two encodings": (b"/api/x%2500", PATH, "control"),
    "an encoded C1 control": (b"/api/x%C2%85y", PATH, "control"),
    "a line separator": (b"/api/a%E2%80%A8b", PATH, "control"),
    "a bidirectional override": (b"/api/a%E2%80%AEb", PATH, "control"),
    "a byte order mark": (b"/api/%EF%BB%BFx", PATH, "control"),
    "an overlong slash": (b"/api%C0%AFx", PATH, "UTF-8"),
    "an overlong dot": (b"/api/%C0%AE%C0%AE/x", PATH, "UTF-8"),
    "an overlong slash behind two encodings": (b"/api%25C0%25AFx", PATH, "overlong"),
    "a lone continuation byte": (b"/api/%80", PATH, "UTF-8"),
    "an encoded surrogate": (b"/api/%ED%A0%80", PATH, "UTF-8"),
    "latin-1 in encoding": (b"/api/caf%E9", PATH, "UTF-8"),
    "a private character": (b"/api/a%EE%80%AFb", PATH, "private"),
    "a private character behind two encodings": (b"/api/a%25uE02Fb", PATH, "private"),
    "half a surrogate pair behind two encodings": (b"/api/a%25uD83Db", PATH, "private"),
    "a full-width slash": (b"/api%EF%BC%8Fx", PATH, "separator"),
    "a full-width question mark": (b"/api/a%EF%BC%9Fx", PATH, "separator"),
    "a Greek question mark": (b"/api/a%CD%BEb", PATH, "separator"),
    "a full-width percent sign": (b"/api/a%EF%BC%85b", PATH, "separator"),
    "a division slash": (b"/api%E2%88%95x", PATH, "slash beyond ASCII"),
    "a fraction slash": (b"/api%E2%81%84x", PATH, "slash beyond ASCII"),
    "a big solidus": (b"/api%E2%A7%B8x", PATH, "slash beyond ASCII"),
    "an overlay of a solidus": (b"/api/a%CC%B8b", PATH, "slash beyond ASCII"),
    "a long run of combining marks": (b"/a" + b"%CC%80" * 31, PATH, "marks"),
    "IIS style %u encoding": (b"/api/%u002fx", PATH, "broken"),
    "a broken escape": (b"/api/%zz", PATH, "broken"),
    "a cut escape": (b"/api/x%2", PATH, "broken"),
    "a lone percent": (b"/api/100%", PATH, "broken"),
    "a space": (b"/api/a b", PATH, "unencoded"),
    "a tab": (b"/api/a\tb", PATH, "unencoded"),
    "a line break": (b"/api/a\r\nb", PATH, "unencoded"),
    "a NUL": (b"/api/\x00", PATH, "unencoded"),
    "raw UTF-8": ("/api/caf\u00e9".encode(), PATH, "unencoded"),
    "raw latin-1": (b"/api/caf\xe9", PATH, "unencoded"),
    "braces": (b"/api/{x}", PATH, "unencoded"),
    "a quotation mark": (b'/api/"x"', PATH, "unencoded"),
    "angle brackets": (b"/api/<x>", PATH, "unencoded"),
    "a bar": (b"/api/a|b", PATH, "unencoded"),
    "a caret": (b"/api/a^b", PATH, "unencoded"),
    "a backtick": (b"/api/a`b", PATH, "unencoded"),
    "more readings than are judged": (b"/a%2Fb%3Fc%23d;e%3Bf%7E", PATH, "more than 16"),
    "a fragment": (b"/api/x#y", PATH, "fragment"),
    "a fragment after the query": (b"/api/x?y#z", QUERY, "fragment"),
    "a space in the query": (b"/api/x?a b", QUERY, "invalid bytes"),
    "a control in the query": (b"/api/x?a\x01", QUERY, "invalid bytes"),
    "raw UTF-8 in the query": ("/api/x?caf\u00e9".encode(), QUERY, "invalid bytes"),
    "a broken escape in the query": (b"/api/x?a=%zz", QUERY, "broken"),
    "a backslash in the query": (b"/api/x?a\\b", QUERY, "invalid bytes"),
    "nothing": (b"", FORM, "start"),
    "no slash": (b"api/x", FORM, "start"),
    "a whole URL": (b"https://other/api", FORM, "start"),
    "an asterisk": (b"*", FORM, "start"),
    "an authority": (b"host:443", FORM, "start"),
    "too much": (b"/" + b"a" * MAX_TARGET, Reason.TOO_LARGE, "more than"),
}


def sent(raw: bytes | str) -> bytes:
    """A target with what is beyond ASCII encoded, so that a table may show it."""
    return raw if isinstance(raw, bytes) and raw.isascii() else quote(raw, safe="/%").encode()


@pytest.mark.parametrize(("raw", "segments"), ONE_READING.values(), ids=ONE_READING)
def test_what_has_one_reading(raw: bytes | str, segments: tuple[str, ...]) -> None:
    (reading,) = read_target(sent(raw))
    assert (reading.segments, reading.route, reading.query, reading.how) == (segments, segments, None, "")


def shown(readings: tuple[Reading, ...]) -> list[str]:
    """Each pair of path and query once, whatever literals are compared with."""
    found = (
        "|".join(reading.segments) + ("" if reading.query is None else f" ?{reading.query}")
        for reading in readings
    )
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(("raw", "expected"), READINGS.values(), ids=READINGS)
def test_what_may_be_structure_has_all_readings(raw: bytes, expected: list[str]) -> None:
    found = shown(read_target(sent(raw)))
    assert found[0] == expected[0]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(("raw", "plain", "as_sent"), ROUTES.values(), ids=ROUTES)
def test_literals_may_be_compared_as_they_are_sent(
    raw: bytes, plain: tuple[str, ...], as_sent: tuple[str, ...]
) -> None:
    first, second = read_target(raw)
    assert (first.segments, first.route) == (plain, plain)
    assert (second.segments, second.route) == (plain, as_sent)


@pytest.mark.parametrize(("raw", "reason", "words"), REFUSED.values(), ids=REFUSED)
def test_what_no_reading_may_have_is_refused(raw: bytes, reason: Reason, words: str) -> None:
    found, detail = refusal(read_target, raw)
    assert found is reason
    assert words in detail


@pytest.mark.parametrize(
    "query", ["", "a=1", "a=%20b", "a=1&a=2", 'filter={"a":[1]}', "path=/Users/me%40x", "x?y"]
)
def test_queries_are_kept_as_sent(query: str) -> None:
    assert read_target(b"/a?" + query.encode())[0].query == query


_PIECES = st.sampled_from(
    (
        *(
            "a",
            "b.c",
            "..",
            ".",
            "/",
            "%2F",
            "%2e",
            "%3F",
            "%23",
            ";",
            "%3B",
            "%25",
            "2F",
            "2e",
            "%20",
            "%3A",
        ),
        *(
            "%7E",
            "%25u002e",
            "%5C",
            "%00",
            "%C3%A9",
            "%CC%81",
            "%E3%80%82",
            "%EF%BC%8F",
            "%C0%AF",
            "x=1",
            "?",
        ),
    )
)


@reaching(
    0.1,
    st.lists(_PIECES, max_size=6).map("".join)
    | st.binary(max_size=20).map(lambda raw: raw.decode("latin-1")),
)
@settings(max_examples=examples(400))
@example("%2e")
@example("a%2F..")
def test_no_reading_has_what_no_path_may_have(text: str) -> bool:
    readings = tried(read_target, b"/" + text.encode("latin-1"))
    if isinstance(readings, Refused):
        return False
    assert 1 <= len(readings) <= MAX_READINGS
    assert len({reading[:3] for reading in readings}) == len(readings)
    for reading in readings:
        assert len(reading.segments) == len(reading.route)
        for segment in reading.segments:
            assert segment.strip() not in ("", ".", "..")
            assert "\\" not in segment
            assert all(char.isprintable() or char in "\u200c\u200d" or char.isspace() for char in segment)
    return True


@reaching(
    0.1,
    st.lists(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=2),
)
def test_names_a_client_encodes_are_its_plain_reading_or_refused_whole(names: list[str]) -> bool:
    raw = "/" + "/".join(quote(name, safe="") for name in names)
    found = tried(read_target, raw.encode())
    if isinstance(found, Refused):
        assert found.reason is PATH
        return False
    assert found[0].segments == tuple(names)
    return True
