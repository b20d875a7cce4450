"""Numbers, times and hostile text as the page shows them."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.audit.queries import query
from brickscope.report.block import Column, Table
from brickscope.report.calls import GRAVE, doing
from brickscope.report.denied import describe_params
from brickscope.report.text import brief, counted, duration, listed, names, share, shown, size, span


@given(st.text(alphabet=st.characters(), max_size=400))
def test_what_is_shown_hides_nothing(text: str) -> None:
    said = shown(text)
    assert said.isprintable()
    said.encode("utf-8")
    assert len(said) < 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nightly-export", "nightly-export"),
        ("abc\u202efed", "abc\\u202efed"),
        ("", '""'),
        ("  ", '"  "'),
        ("x" * 300, "x" * 240 + "… (60 more characters)"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_text_is_shown(text: str, said: str) -> None:
    assert shown(text) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 10, "0 %"),
        (1, 0, "0 %"),
        (1, 1_000_000, "< 0.1 %"),
        (999_999, 1_000_000, "> 99.9 %"),
        (10, 10, "100 %"),
        (25, 1000, "2.5 %"),
    ],
)
def test_a_share_never_hides_the_few(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (brief(0), "0"),
        (brief(999), "999"),
        (brief(1000), "1k"),
        (brief(1234), "1.2k"),
        (brief(9970), "10k"),
        (brief(35_200_000), "35M"),
        (counted(0, "call"), "no calls"),
        (counted(1, "address", "addresses"), "1 address"),
        (counted(1200, "address", "addresses"), "1,200 addresses"),
        (duration(None), "–"),
        (duration(0.42), "0.42 ms"),
        (duration(1350), "1.35 s"),
        (duration(130_000), "2.17 min"),
        (size(None), "–"),
        (size(0), "no bytes"),
        (size(1), "1 byte"),
        (size(1_234_000), "1.23 MB"),
        (span(timedelta(days=3, hours=2)), "3 days"),
        (span(timedelta(seconds=-5)), "less than a second"),
        (span(timedelta(hours=1)), "1 hour"),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (names([]), ""),
        (names(["b", "a", "b"]), "b and a"),
        (names("abcdefg"), "a, b, c, d and 3 more"),
        (names(["x\u202e"]), "x\\u202e"),
        (describe_params([{"job_id": 1}, {"job_id": 2}, {"job_id": 1}]), "job_id = 1 or 2"),
        (describe_params([None, [1], {"a": {"b": "c"}}]), 'a = {"b": "c"}'),
        (describe_params([{"n": n} for n in range(20)]), "n = 0 or 1 or 2 or 3 or 4 or 5 or 6 or 7 …"),
    ],
    ids=lambda value: value,
)
def test_it_is_said_so(made: str, said: str) -> None:
    assert made == said


@pytest.mark.parametrize(
    ("fingerprint", "principal", "said"),
    [
        ("sha256:1", None, "sha256:1"),
        (None, '{"sub":"ada","client_id":"cli"}', "ada by client cli"),
        (None, '{"sub":"x","client_id":"x"}', "x"),
        (None, '{"client_id":"x"}', "by client x"),
        ("sha256:1", "[1]", "sha256:1"),
        (None, "{}", ""),
        (None, None, ""),
    ],
)
def test_a_caller_is_known_by(fingerprint: str | None, principal: str | None, said: str) -> None:
    connection = duckdb.connect()
    connection.execute(query("duckdb/views").partition("CREATE TEMP VIEW")[0])
    assert connection.execute("SELECT known_by($1, $2::JSON)", [fingerprint, principal]).fetchone() == (said,)


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (1, ["returns or creates credentials, secrets or signed links", "changes who may act or from where"]),
        (2, ["return or create credentials, secrets or signed links", "change who may act or from where"]),
    ],
)
def test_one_call_does_and_two_do(calls: int, said: list[str]) -> None:
    assert [doing(power, calls) for power in GRAVE.values()] == said


def test_a_column_is_read_from_its_text() -> None:
    assert Column.read("Client") == ("Client", "name", "–", "")
    assert Column.read("Sent | n | none | by monitor mode") == ("Sent", "n", "none", "by monitor mode")
    with pytest.raises(AssertionError):
        Column.read("Client | odd")


def test_a_table_says_how_many_are_left_out() -> None:
    table = Table.of("x", "Numbers", ("Number | n",), ((number,) for number in range(1200)))
    assert (len(table.rows), table.total, table.records()[3]) == (500, 1200, {"Number": 3})
    assert Table.of("x", "Numbers", ("Number | n",), [(1,)], 9).total == 9
    assert Table.of("x", "Numbers", ("Number | n",), []).total == 0
