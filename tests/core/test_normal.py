"""Names and texts as careless readers take them, and what is regular to all."""

from __future__ import annotations

import pytest

from brickscope.core.normal import (
    MAX_MARKS,
    caseless,
    compatible,
    disguise,
    fold,
    has_controls,
    is_regular_text,
    is_stream_safe,
    lines_are_regular,
    mapped,
)

FOLDED = {
    "": "",
    "job_id": "jobid",
    "Job-ID 2": "jobid2",
    "_-. ": "",
    "jobId\0x": "jobidx",
    "\u00c4pfel": "apfel",
    "a\u0308pfel": "apfel",
    "\uff4aob_\uff49d": "jobid",
    "\ufb01le": "file",
    "stra\u00dfe": "strasse",
    "\u0130d": "id",
    "\u0131d": "id",
    "param\u017f": "params",
    "job\u200b_id": "jobid",
    "\u30b8\u30e7": "\u30b7\u30e7",
}


def test_a_name_is_folded() -> None:
    for name, folded in FOLDED.items():
        assert fold(name) == folded
        assert fold(name + "_" * 64) == folded, "one that is not remembered"


def test_runs_of_combining_marks_are_bounded() -> None:
    marks = "\u0301" * MAX_MARKS
    assert is_stream_safe("e" * 100)
    assert is_stream_safe(f"e{marks}")
    assert is_stream_safe(f"{marks}e{marks}")
    assert not is_stream_safe(f"{marks}\u0301")
    assert not is_stream_safe(f"{marks}e{marks}\u0301")
    assert is_stream_safe("\u2026" * 100), "signs that combine with nothing"


def test_the_compatibility_form() -> None:
    assert compatible("A.b") == "A.b"
    assert compatible("\uff21\ufb01e\u0301") == "Afi\u00e9"


def test_without_case() -> None:
    assert caseless("Ab") == "ab"
    assert caseless("STRA\u00dfE") == "strasse"
    assert caseless("\uff21\u0130\u0131I\u0307") == "aiii"


CONTROLS = {
    "none": ("a\u00e9 b", False),
    "a tab": ("a\tb", True),
    "DEL": ("\x7f", True),
    "a C1 control": ("a\x85", True),
    "a format character": ("a\u200bb", True),
    "a soft hyphen": ("a\u00ad", True),
    "a direction": ("\u202ea", True),
    "half a surrogate pair": ("\ud800", True),
    "a line separator": ("a\u2028b", True),
    "a paragraph separator": ("a\u2029b", True),
    "the joiners": ("\u0915\u200d\u200c\u0937", False),
    "a blank that does not break": ("a\u00a0b", False),
    "a private character": ("\ue000", False),
}


@pytest.mark.parametrize(("text", "found"), CONTROLS.values(), ids=CONTROLS)
def test_controls_are_found(text: str, found: bool) -> None:
    assert has_controls(text) is found


def test_some_controls_may_be_excepted() -> None:
    assert not has_controls("a\tb\n", "\t\n")
    assert has_controls("a\tb\r", "\t\n")


REGULAR = {
    "nothing": ("", True),
    "letters": ("a b", True),
    "letters beyond ASCII": ("M\u00fcller", True),
    "a blank in front": (" a", False),
    "a blank at the end": ("a ", False),
    "a blank": (" ", False),
    "a blank in front of letters beyond ASCII": (" \u00fc", False),
    "a blank that does not break at the end": ("a\u00a0", False),
    "not composed": ("u\u0308", False),
    "a compatibility form": ("\uff21", True),
    "a control": ("a\x00", False),
    "a line end": ("a\nb", False),
    "a long run of marks": ("e" + "\u0323" * 31, False),
}


@pytest.mark.parametrize(("text", "regular"), REGULAR.values(), ids=REGULAR)
def test_regular_text(text: str, regular: bool) -> None:
    assert is_regular_text(text) is regular


def test_text_of_several_lines() -> None:
    assert is_regular_text("a\n\tb", "\t\n")
    assert not is_regular_text("a\n\x00b", "\t\n")
    assert not is_regular_text("a\n", "\t\n"), "a blank at its end"


LINES = {
    "plain": ("a b\nc", True),
    "one": ("a", True),
    "letters beyond ASCII": ("a\nM\u00fc r\nc", True),
    "a blank in front": (" a\nb", False),
    "a blank in front of a line": ("a\n b", False),
    "a blank at a line's end": ("a \nb", False),
    "a blank at the end": ("a\nb ", False),
    "a tab": ("a\tb\nc", False),
    "DEL": ("a\x7f\nc", False),
    "a carriage return": ("a\r\nb", False),
    "a control beyond ASCII": ("a\u0085\nb", False),
    "a blank that does not break": ("a\u00a0b\nc", False),
    "not composed": ("u\u0308\nb", False),
    "a long run of marks": ("e" + "\u0323" * 31, False),
    "blanks round letters beyond ASCII": ("\u00fc\n \u00fc", False),
}


@pytest.mark.parametrize(("lines", "regular"), LINES.values(), ids=LINES)
def test_regular_lines(lines: str, regular: bool) -> None:
    assert lines_are_regular(lines) is regular


MAPPED = {
    "as it is": ("A.b", "A.b"),
    "blanks at the ends": (" a\t", "a"),
    "case beyond ASCII": ("\u00c4B", "\u00e4b"),
    "a compatibility form": ("\uff0e\u2025", "..."),
    "ideographic full stops": ("\u3002\uff61", ".."),
    "what is not seen": ("a\u200b\u00adb\u0300", "ab"),
    "an enclosing mark": ("a\u20dd", "a"),
    "a filler": ("a\u3164", "a"),
    "a blank beyond ASCII at the end": ("a\u3000", "a"),
    "what is not seen behind a blank": ("a \u200b", "a"),
}


@pytest.mark.parametrize(("segment", "form"), MAPPED.values(), ids=MAPPED)
def test_a_segment_after_every_mapping(segment: str, form: str) -> None:
    assert mapped(segment) == form


EMPTY, DOTS, CONTROL = "an empty segment", "a dot segment", "a control character"
SEPARATOR, SLASH = (
    "a character that Unicode's normal forms turn into a separator",
    "a slash beyond ASCII",
)
LONG = "characters that stand for long texts"
DISGUISES: dict[str, tuple[str, str | None]] = {
    "letters": ("a.b", None),
    "three dots": ("...", None),
    "separators that say so": ("a;b%c", None),
    "letters beyond ASCII": ("caf\u00e9", None),
    "separators that say so, beside letters beyond ASCII": ("\u00e9?#;%", None),
    "nothing": ("", EMPTY),
    "a blank": (" ", EMPTY),
    "a blank beyond ASCII": ("\u3000", EMPTY),
    "what is not seen": ("\u00ad", EMPTY),
    "a dot": (".", DOTS),
    "two dots": ("..", DOTS),
    "two dots and blanks": (" .. ", DOTS),
    "one dot beyond ASCII": ("\uff0e", DOTS),
    "two dots in one": ("\u2025", DOTS),
    "dots and what is not seen": (".\u200b.", DOTS),
    "a control": ("a\x00", CONTROL),
    "DEL": ("a\x7f", CONTROL),
    "a control beside letters beyond ASCII": ("\u00e9\x01", CONTROL),
    "a direction": ("a\u202eb", CONTROL),
    "a full-width slash": ("a\uff0fb", SEPARATOR),
    "a full-width question mark": ("a\uff1fb", SEPARATOR),
    "a full-width number sign": ("a\uff03b", SEPARATOR),
    "a full-width backslash": ("a\uff3cb", SEPARATOR),
    "a full-width percent sign": ("a\uff05b", SEPARATOR),
    "a Greek question mark": ("a\u037eb", SEPARATOR),
    "account of": ("\u2100", SEPARATOR),
    "a fraction slash": ("a\u2044b", SLASH),
    "a division slash": ("a\u2215b", SLASH),
    "a big reverse solidus": ("a\u29f9b", SLASH),
    "many letters beyond ASCII": ("\u00e9" * 200, None),
    "a few characters that stand for many": ("\ufdfa" * 4, None),
    "characters that stand for many": ("\ufdfa" * 5, LONG),
    "a long run of marks": ("e" + "\u0323" * 31, "a long run of combining marks"),
}


@pytest.mark.parametrize(("segment", "what"), DISGUISES.values(), ids=DISGUISES)
def test_what_no_segment_may_be_taken_for(segment: str, what: str | None) -> None:
    assert disguise(segment) == what
