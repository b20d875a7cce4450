"""Untrusted text is made visible; what can be seen already stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.visible import visible

TEXTS = {
    "plain": ("nightly-export ~", "nightly-export ~", None),
    "empty": ("", "", None),
    "other scripts": ("Grüße, مرحبا", "Grüße, مرحبا", "Gr\\xfc\\xdfe, \\u0645\\u0631\\u062d\\u0628\\u0627"),
    "line end": ("a\nb", "a\\x0ab", None),
    "terminal escape": ("\x1b[31mred", "\\x1b[31mred", None),
    "C1 control": ("\x9b31m", "\\x9b31m", None),
    "reading direction": ("abc\u202efed", "abc\\u202efed", None),
    "nothing to be seen": ("a\u200bb", "a\\u200bb", None),
    "odd blank": ("a\xa0b", "a\\xa0b", None),
    "tag character": ("\U000e0041", "\\U000e0041", None),
    "half a surrogate pair": ("\ud800", "\\ud800", None),
    "the ends": (
        "\x00\x7f\xff\u0100\uffff\U00010000\U0010ffff",
        "\\x00\\x7f\xff\u0100\\uffff\U00010000\\U0010ffff",
        "\\x00\\x7f\\xff\\u0100\\uffff\\U00010000\\U0010ffff",
    ),
}


@pytest.mark.parametrize(("text", "seen", "in_ascii"), TEXTS.values(), ids=TEXTS)
def test_a_text_is_seen(text: str, seen: str, in_ascii: str | None) -> None:
    assert visible(text) == seen
    assert visible(text, only_ascii=True) == (seen if in_ascii is None else in_ascii)


def test_what_is_excepted_stays() -> None:
    assert visible("a\n\x1bb", "\n") == "a\n\\x1bb"


@given(st.text(alphabet=st.characters()))
def test_nothing_hides(text: str) -> None:
    seen, in_ascii = visible(text), visible(text, only_ascii=True)
    assert seen.isprintable()
    assert in_ascii.isprintable()
    assert in_ascii.isascii()
    assert visible(seen) == seen
