"""The sentence on the log itself says what was shown, and not more; green is only what a given key has shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brickscope.audit.evidence import Damage, Evidence, Finding, Signed
from brickscope.log.chain import Link
from brickscope.report.integrity import find_status, sentence

LINK = Link("1a2b3c4d", 9, "0" * 64)
SIGNED = Signed(LINK, "2026-11-22T13:00:00.000000Z", "ed25519:0011223344556677", "audit.jsonl", 9)
GOOD = Evidence(
    ["audit.jsonl"], 9, 900, "2026-11-01", "2026-11-22", True, LINK, SIGNED, trusted=True, stopped=True
)
FINDING = Finding(Damage.REMOVED, "audit.jsonl", 7, "1 record before this one is missing")


@pytest.mark.parametrize(
    ("evidence", "status", "said"),
    [
        (None, "unchecked", "Whether the log is complete and unaltered was not checked."),
        ([], "unchecked", "Whether the log is complete and unaltered was not checked."),
        (
            [GOOD],
            "intact",
            "The log is complete and unaltered as far as the checkpoint of 2026-11-22 13:00:00.",
        ),
        (
            [replace(GOOD, trusted=False)],
            "own key",
            "The log is complete and unaltered as far as the checkpoint of 2026-11-22 13:00:00, signed by the key that the "
            "log itself names.",
        ),
        (
            [GOOD, replace(GOOD, trusted=False)],
            "own key",
            "The logs are complete and unaltered as far as the last signed checkpoint of each, signed by the key that the "
            "log itself names.",
        ),
        (
            [replace(GOOD, begins=False)],
            "intact",
            "The log is complete and unaltered, from its first record here on as far as the checkpoint of "
            "2026-11-22 13:00:00.",
        ),
        (
            [replace(GOOD, signed=None)],
            "unsigned",
            "Nothing shows that the log is complete and unaltered: its hashes fit together, but it has no signed "
            "checkpoint, so all of it could have been rewritten.",
        ),
        (
            [replace(GOOD, after=70)],
            "intact",
            "The log is complete and unaltered as far as the checkpoint of 2026-11-22 13:00:00; no signature covers the 70 "
            "records after it, which prove nothing.",
        ),
        (
            [GOOD, GOOD],
            "intact",
            "The logs are complete and unaltered as far as the last signed checkpoint of each.",
        ),
        (
            [GOOD, replace(GOOD, findings=[FINDING], more_findings=4)],
            "damaged",
            "The log is not as it was written: something is wrong in 5 places.",
        ),
    ],
    ids=[
        "not run",
        "nothing",
        "good",
        "own key",
        "one own key",
        "middle",
        "unsigned",
        "tail",
        "two",
        "damaged",
    ],
)
def test_it_is_said_so(evidence: list[Evidence] | None, status: str, said: str) -> None:
    assert (find_status(evidence), sentence(evidence)) == (status, said)
