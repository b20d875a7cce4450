"""What only ``scripts/test --all`` runs is there under the name that leaves it out."""

from __future__ import annotations

import pytest

from whole import LONGEST, TESTS, WHOLE


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_left_out_is_there(name: str) -> None:
    assert (TESTS / name).exists()


def test_what_begins_first_is_part_of_it() -> None:
    assert set(LONGEST) <= set(WHOLE)
