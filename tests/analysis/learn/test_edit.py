"""Rules put into a file: comments and layout stay, and what can't be edited is said, never guessed."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.analysis.learn.edit import edit_rule_set, unified
from brickscope.analysis.learn.observation import Tally
from brickscope.analysis.learn.proposal import Entry, LearnError

SEEN = Tally(3, datetime(2026, 11, 1), datetime(2026, 11, 2))  # noqa: DTZ001
NEW = Entry({"operation": "jobs.run_now", "where": {"job_id": [7]}}, "3 calls", ("jobs.run_now",), SEEN)
LIST = Entry("jobs.list", "seen once", ("jobs.list",), SEEN)
HEAD = "version: 1\nrule_sets:\n"

EDITS = {
    "at the end of a list, before the comment that follows": (
        "  a:\n    allow:\n      - x.y  # why\n      # until May\n\n    # none\n    deny: [z.z]\n",
        [],
        "  a:\n    allow:\n      - x.y  # why\n      - operation: jobs.run_now  # 3 calls\n        where: {job_id: [7]}\n"
        "      - jobs.list  # seen once\n      # until May\n\n    # none\n    deny: [z.z]\n",
    ),
    "a list that is not indented": (
        "  a:\n    allow:\n    - x.y\n    mode: monitor\n",
        [],
        "  a:\n    allow:\n    - x.y\n    - operation: jobs.run_now  # 3 calls\n      where: {job_id: [7]}\n"
        "    - jobs.list  # seen once\n    mode: monitor\n",
    ),
    "in place of a rule of several lines": (
        "  a:\n    allow:\n      - x.y\n      - operation: v.w\n        # watched\n        where:\n          p: 1\n"
        "      - q.r\n",
        [1],
        "  a:\n    allow:\n      - x.y\n      - q.r\n      - operation: jobs.run_now  # 3 calls\n"
        "        where: {job_id: [7]}\n      - jobs.list  # seen once\n",
    ),
    "all others gone": (
        "  a:\n    allow:\n      - x.y\n      - q.r\n",
        [0, 1],
        "  a:\n    allow:\n      - operation: jobs.run_now  # 3 calls\n        where: {job_id: [7]}\n"
        "      - jobs.list  # seen once\n",
    ),
    "a file without an end of line": (
        "  a:\n    allow:\n      - x.y",
        [],
        "  a:\n    allow:\n      - x.y\n      - operation: jobs.run_now  # 3 calls\n        where: {job_id: [7]}\n"
        "      - jobs.list  # seen once\n",
    ),
    "a list in brackets becomes one with lines": (
        "  a:\n    allow: [x.y, {operation: v.w, where: {p: [1, 2]}}, 'GET /a#b']  # why\n    mode: monitor\n",
        [],
        "  a:\n    allow:  # why\n      - x.y\n      - {operation: v.w, where: {p: [1, 2]}}\n      - 'GET /a#b'\n"
        "      - operation: jobs.run_now  # 3 calls\n        where: {job_id: [7]}\n      - jobs.list  # seen once\n"
        "    mode: monitor\n",
    ),
}


@pytest.mark.parametrize("case", EDITS)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_edits(case: str, ending: str) -> None:
    before, remove, after = (
        each.replace("\n", ending) if isinstance(each, str) else each for each in EDITS[case]
    )
    head = HEAD.replace("\n", ending)
    if ending not in before:
        return
    assert edit_rule_set(head + before, "a", remove, [NEW, LIST]) == head + after


REFUSED = {
    "a list that another rule set uses too": "  b:\n    allow: &x\n      - x.y\n  a:\n    allow: *x\n",
    "a rule set in braces": "  a: {allow: [x.y]}\n",
    "brackets over several lines": "  a:\n    allow: [x.y,\n      q.r]\n",
    "no list": "  a:\n    mode: monitor\n",
    "no such rule set": "  b:\n    allow: [x.y]\n",
    "a file that can't be read": "  a:\n    allow: [x.y\n",
    "rules in the middle of lines": "  a:\n    allow:\n      - x.y\n      -\n        q.r\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_edited_is_left_alone(case: str) -> None:
    with pytest.raises(LearnError):
        edit_rule_set(HEAD + REFUSED[case], "a", [], [LIST])


def test_a_rule_set_is_never_left_empty() -> None:
    with pytest.raises(LearnError, match="nothing would be left"):
        edit_rule_set(f"{HEAD}  a:\n    allow:\n      - x.y\n", "a", [0], [])


COMMENTS = st.sampled_from(["", "  # why", " #", "   # - x.y"])
RULES = st.sampled_from(
    [
        "x.y",
        "'GET /a/{b}'",
        "{operation: v.w, where: {p: 1}}",
        "operation: v.w{i}  where: {p: [1]}",
        "preset: q",
    ]
)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(RULES, COMMENTS, st.sampled_from(["", "\n", "# between\n", "        # deep\n"])), min_size=1
    ),
    st.integers(0, 4),
    st.data(),
)
def test_every_comment_of_a_file_stays(
    rules: list[tuple[str, str, str]], indent: int, data: st.DataObject
) -> None:
    lines = [HEAD, "  a:\n    allow:\n"]
    for rule, comment, between in rules:
        first, _, second = rule.partition("{i}")
        lines.append(f"{' ' * (4 + indent)}- {first}{comment}\n")
        if second:
            lines.append(f"{' ' * (6 + indent)}{second.strip()}\n")
        lines.append(between)
    text = "".join(lines)
    remove = data.draw(st.sets(st.integers(0, len(rules) - 1)))
    edited = edit_rule_set(text, "a", remove, [NEW])
    kept = [
        rule
        for index, rule in enumerate(yaml.safe_load(text)["rule_sets"]["a"]["allow"])
        if index not in remove
    ]
    assert yaml.safe_load(edited)["rule_sets"]["a"]["allow"] == [*kept, NEW.written]
    for index, (_, comment, _) in enumerate(rules):
        if index not in remove:
            assert comment in edited
    # Between rules of several lines a comment belongs to nobody.
    assert edited.count("# between") >= text.count("# between") - len(remove)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_patch_can_be_applied(end: str, tmp_path: Path) -> None:
    old = f"{HEAD}  a:\n    allow:\n      - x.y  # \u00e9{end}"
    new = edit_rule_set(old, "a", [], [NEW])
    (tmp_path / "policy.yaml").write_bytes(old.encode())
    (tmp_path / "p.patch").write_bytes(unified(old, new, "policy.yaml").encode())
    subprocess.run(["git", "apply", "p.patch"], cwd=tmp_path, check=True)
    assert (tmp_path / "policy.yaml").read_bytes().decode() == new
