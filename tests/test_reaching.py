"""``reaching`` itself: it fails where a property asserts nothing, and where one does not hold."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from reaching import reaching


@reaching(0.9, st.integers(0, 3))
def most_reach(value: int) -> bool:
    assert value < 4
    return True


@reaching(0.9, st.integers(0, 3))
def few_reach(value: int) -> bool:
    return value == 7


@reaching(0.0, st.integers(0, 3))
@settings(max_examples=20, database=None)
def does_not_hold(value: int) -> bool:
    assert value < 3
    return True


@reaching(0.0, value=st.integers(0, 3))
def says_nothing(value: int) -> bool:
    return None  # type: ignore[return-value]


def test_a_property_whose_examples_get_there_passes() -> None:
    most_reach()


def test_one_whose_examples_do_not_get_there_fails() -> None:
    with pytest.raises(AssertionError, match=r"0 of [0-9]+ examples reached"):
        few_reach()


def test_one_that_does_not_hold_fails() -> None:
    with pytest.raises(AssertionError):
        does_not_hold()


def test_one_that_does_not_say_whether_it_got_there_fails() -> None:
    with pytest.raises(AssertionError, match="has to return"):
        says_nothing()


@reaching(1.0, st.booleans())
def test_fixtures_are_handed_over(tmp_path_factory: pytest.TempPathFactory, value: bool) -> bool:
    assert tmp_path_factory is not None
    return True
