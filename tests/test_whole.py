"""What only ``scripts/test --all`` runs, or counts branches of, is there under the name that says so."""

from __future__ import annotations

import pytest

from whole import LONGEST, MEASURED, TESTS, WHOLE


@pytest.mark.parametrize("name", [*WHOLE, *MEASURED])
def test_what_is_named_is_there(name: str) -> None:
    assert (TESTS / name).exists()


def test_what_begins_first_is_part_of_it() -> None:
    assert set(LONGEST) <= set(WHOLE)
