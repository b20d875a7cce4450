"""One YAML file: what it may hold, and that no file, however hostile, does more than have a problem."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.policy.document import MAX_BYTES, Document, read_document
from brickscope.policy.problem import Position

SCALARS = {
    "a plain true": ("true", True),
    "a plain integer": ("12", 12),
    "nothing": ("", None),
    "null": ("null", None),
    "a quoted integer": ("'12'", "12"),
    "a quoted true": ('"true"', "true"),
    "off": ("off", "off"),
    "a date": ("2027-03-01", "2027-03-01"),
    "a time of day": ("1:30", "1:30"),
    "an octal": ("0o17", "0o17"),
    "a leading zero": ("017", "017"),
    "a float": ("1.0", "1.0"),
    "a capital True": ("True", "True"),
}


@pytest.mark.parametrize(("text", "expected"), SCALARS.values(), ids=SCALARS)
def test_a_scalar_means_one_thing(text: str, expected: object) -> None:
    document, problems = read_document("x", f"k: {text}\n".encode())
    assert problems == []
    assert document.data == {"k": expected}
    assert type(document.data["k"]) is type(expected)


WRONG = {
    "a number as key": ("a: 1\n1: x\n", "x:2:1: error: the key '1' is no text (write '1' with its quotes)"),
    "true as key": ("true: x\n", "x:1:1: error: the key 'true' is no text"),
    "null as key": ("~: x\n", "x:1:1: error: the key '~' is no text"),
    "a list as key": ("? [a]\n: b\n", "x:1:3: error: a key must be a word"),
    "a tag on a mapping": ("a: !x {}\n", "x:1:4: error: the tag '!x' has no meaning here"),
    "a tag on a list": ("a: !!set []\n", "x:1:4: error: the tag 'tag:yaml.org,2002:set' has no meaning"),
    "a tag on a key": ("!x a: 1\n", "x:1:1: error: the tag '!x' has no meaning here"),
    "a tag that YAML itself knows": ("a: !!str 1\n", "x:1:4: error: the tag 'tag:yaml.org,2002:str'"),
    "an alias of nothing": ("a: *b\n", "x:1:4: error: not valid YAML: found undefined alias"),
    "an alias of another document": ("a: &b 1\n---\na: *b\n", "x:3:4: error: not valid YAML"),
    "null alone": ("~\n", "x:1:1: error: the file is empty"),
    "a comment alone": ("# later\n", "x:1:1: error: the file is empty"),
    "a control character": ("a: 1\nbc\x01: 1\n", "x:2:3: error: an unseen character (U+0001) (delete it)"),
    "a rule in a comment, behind a line separator": (
        "a: 1 # x\u2028b: 2\n",
        "x:1:9: error: an unseen character (U+2028)",
    ),
    "a rule in a comment, behind a next line": (
        "a: 1 # x\x85b: 2\n",
        "x:1:9: error: an unseen character (U+0085)",
    ),
    "a rule in a comment, behind a CR": ("# x\ra: 1\n", "x:1:4: error: an unseen character (U+000D)"),
    "a mark of direction": ("a: 1\n# \u202ex\n", "x:2:3: error: an unseen character (U+202E)"),
    "a blank of no width in a key": ("a: 1\nb\u200bc: 2\n", "x:2:2: error: an unseen character (U+200B)"),
    "too much": ("#" * (MAX_BYTES + 1), "x:1:1: error: the file has more than 16 MiB"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_what_could_be_misread_is_refused_with_its_place(text: str, expected: str) -> None:
    _, problems = read_document("x", text.encode())
    assert any(str(problem).startswith(expected) for problem in problems), list(map(str, problems))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CR LF", "CR"])
def test_lines_may_end_in_each_way_that_all_readers_know(end: str) -> None:
    document, problems = read_document("x", f"\ufeffa: 1{end}b: naïve 👩\u200d💻{end}".encode())
    assert (document.data, problems) == ({"a": 1, "b": "naïve 👩\u200d💻"}, [])


def test_an_alias_is_the_value_that_it_names() -> None:
    document, problems = read_document("x", b"a: &v [1]\nb: *v\n")
    assert (document.data, problems) == ({"a": [1], "b": [1]}, [])


def test_everything_has_its_place() -> None:
    document, _ = read_document("x", '\ufeffa:\n  - b: "é"\n    c: 1\n'.encode())
    assert document.data == {"a": [{"b": "é", "c": 1}]}
    assert document.position(("a", 0, "b")) == Position("x", 2, 8)
    assert document.key_position(("a", 0, "c")) == Position("x", 3, 5)
    assert document.position(("a", 0, "missing")) == Position("x", 2, 5), "its nearest parent"


HOSTILE = {
    "brackets": "'a: ' + '[' * 1_000_000",
    "closed brackets": "'a: ' + '[' * 100_000 + ']' * 100_000",
    "braces": "'{a: ' * 200_000",
    "complex keys": "'? ' * 200_000",
    "lists on one line": "'- ' * 200_000",
    "indentation": "''.join(' ' * depth + 'a:\\n' for depth in range(3_000))",
    "aliases of aliases": "'a0: &a0 [x]\\n' + ''.join(f'a{i}: &a{i} [' + f'*a{i - 1},' * 9 + ']\\n' for i in range(1, 30))",
}


@pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE)
def test_no_file_ends_the_process(expression: str) -> None:
    # In a process of its own: an overflow of the C stack would end this one, as it would the proxy.
    program = (
        "import threading; from brickscope.policy.document import read_document; found = [];"
        f"text = ({expression}).encode();"
        "thread = threading.Thread(target=lambda: found.append(read_document('x', text)));"
        "thread.start(); thread.join();"
        "(document, (problem,)), = found; assert document.data is None; print(problem)"
    )
    source = str(Path(__file__).parents[2] / "addon")
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert result.returncode == 0, result.stderr
    assert "nested too deeply" in result.stdout


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.text("[]{}:&*!-?'\"#\n ,a<|>%@`", max_size=40).map(str.encode)
)
def test_reading_never_raises(raw: bytes) -> None:
    document, problems = read_document("x", raw)
    assert isinstance(document, Document)
    assert problems or document.data is not None
