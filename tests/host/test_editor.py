"""VS Code's settings: JSON with comments and last commas."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.host.editor import read_settings

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_all_json_is_read_as_it_is(settings: dict[str, object]) -> None:
    assert read_settings(json.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ('{"a": "// no comment", /* "a": 1 */ "b": [1, 2,], // end\n}', {"a": "// no comment", "b": [1, 2]}),
        (r'{"a": "\"/* in quotes */,}"}', {"a": '"/* in quotes */,}'}),
        ('// only a comment\n{"a": 1,\n  // more\n}', {"a": 1}),
        ("", {}),
    ],
)
def test_comments_and_last_commas(text: str, settings: dict[str, object]) -> None:
    assert read_settings(text) == settings


@pytest.mark.parametrize("text", ["[]", "{", "{'a': 1}", '{"a": 1 "b": 2}', "/*"])
def test_what_is_no_settings(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_settings(text)
