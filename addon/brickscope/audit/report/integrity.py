"""Whether the log can be believed: what checking its chain and signatures showed, and what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from brickscope.audit.evidence import Evidence
from brickscope.audit.reader import Faults

from .rows import Rows
from .text import counted

Status = Literal["intact", "damaged", "unsigned", "unchecked"]


@dataclass(frozen=True)
class Place:
    """Something found at a line of a file; 0 for the whole file. ``kind``: what sort of damage, in a word."""

    file: str
    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class CheckedLog:
    """The result for one log (one series of files). ``begins``: whether its very first record is among them. ``signed``:
    when its last good checkpoint was made. ``trusted``: whether the key did not come from the log itself."""

    name: str
    files: int
    records: int
    intact: bool
    begins: bool
    signed: str | None
    after: int
    trusted: bool
    proved: tuple[str, ...]
    not_proved: tuple[str, ...]
    findings: Rows[Place]
    notes: Rows[Place]
    unfinished: int


@dataclass(frozen=True)
class Integrity:
    """``unreadable``: lines that are no records; ``faults``: the first of them, and damaged files."""

    status: Status
    logs: tuple[CheckedLog, ...]
    unreadable: int
    faults: Rows[Place]

    @property
    def findings(self) -> int:
        """Everything that was found wrong."""
        return sum(log.findings.total for log in self.logs)

    @property
    def sentence(self) -> str:
        """The result in a sentence, for the summary."""
        if self.status == "unchecked":
            return "Whether the log is complete and unaltered was not checked."
        if self.status == "damaged":
            places = counted(self.findings, "place")
            return f"The log is not as it was written: something is wrong in {places}."
        signed = [log for log in self.logs if log.signed is not None]
        one = len(self.logs) == 1
        behind = sum(log.after for log in signed)
        tail = (
            f"; no signature covers the {counted(behind, 'record')} behind it, which prove nothing"
            if behind
            else ""
        )
        what = f"{'The log is' if one else 'The logs are'} complete and unaltered"
        if not all(log.begins for log in self.logs):
            what += f", from {'its first record here' if one else 'their first records here'} on"
        if len(signed) < len(self.logs):
            return (
                "Nothing shows that the log is complete and unaltered: its hashes fit together, but "
                f"{'it has no' if one else 'not all have a'} signed checkpoint, so all could be made anew."
            )
        until = f"the checkpoint of {signed[0].signed}" if one else "the last signed checkpoint of each"
        whose = "" if all(log.trusted for log in signed) else ", signed by the key that the log itself names"
        return f"{what} as far as {until}{whose}{tail}."


def make_integrity(evidence: Sequence[Evidence] | None, faults: Faults) -> Integrity:
    """``evidence``: the results of ``verify.py``, one for each log; None if it was not run."""
    named = [Place(line.file, line.number, "unreadable", line.why) for line in faults.named]
    broken = [Place(file, 0, "damaged", why) for file, why in faults.damaged.items()]
    logs = tuple(map(_checked, evidence or ()))
    status: Status = "intact"
    if not logs:
        status = "unchecked"
    elif not all(log.intact for log in logs):
        status = "damaged"
    elif not all(log.signed for log in logs):
        status = "unsigned"
    return Integrity(
        status, logs, faults.lines, Rows.of([*broken, *named], len(broken) + max(len(named), faults.lines))
    )


def _checked(evidence: Evidence) -> CheckedLog:
    signed = evidence.signed
    findings = [Place(each.file, each.line, each.damage.value, each.text) for each in evidence.findings]
    notes = [Place(each.file, each.line, "note", each.text) for each in evidence.notes]
    return CheckedLog(
        Path(evidence.files[-1]).name if evidence.files else "–",
        len(evidence.files),
        evidence.records,
        evidence.intact,
        evidence.begins,
        None if signed is None else signed.time[:19].replace("T", " "),
        evidence.after,
        evidence.trusted,
        tuple(evidence.proved()),
        tuple(evidence.not_proved()),
        Rows.of(findings, len(findings) + evidence.more_findings),
        Rows.of(notes, len(notes) + evidence.more_notes),
        evidence.unfinished,
    )
