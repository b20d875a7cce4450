"""Whether the log can be believed: what checking its chain and signatures showed, and what could not be read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from brickscope.audit.evidence import Evidence
from brickscope.audit.reader import Faults

from .block import Lists, Point, Section, Table, Text
from .counts import Given
from .text import counted, names, shown

Status = Literal["intact", "own key", "damaged", "unsigned", "unchecked"]
WORDS: dict[Status, str] = {
    "intact": "Intact",
    "own key": "Intact, key not confirmed",
    "damaged": "Damaged",
    "unsigned": "Not signed",
    "unchecked": "Not checked",
}
"""``intact`` only where signatures were checked with a key that the reviewer gave: whoever writes a log anew names a key of
his own in it."""


def find_status(evidence: Sequence[Evidence] | None) -> Status:
    """``evidence``: the results of ``verify.py``, one for each log; None if it was not run."""
    if not evidence:
        return "unchecked"
    if not all(log.intact for log in evidence):
        return "damaged"
    if not all(log.signed for log in evidence):
        return "unsigned"
    return "intact" if all(log.trusted for log in evidence) else "own key"


def sentence(evidence: Sequence[Evidence] | None) -> str:
    """The result in a sentence, for the summary."""
    status = find_status(evidence)
    if not evidence or status == "unchecked":
        return "Whether the log is complete and unaltered was not checked."
    if status == "damaged":
        places = counted(sum(len(log.findings) + log.more_findings for log in evidence), "place")
        return f"The log is not as it was written: something is wrong in {places}."
    one = len(evidence) == 1
    signed = [log.signed for log in evidence if log.signed is not None]
    if status == "unsigned":
        return (
            "Nothing shows that the log is complete and unaltered: its hashes fit together, but "
            f"{'it has no' if one else 'not all have a'} signed checkpoint, so all of it could have been rewritten."
        )
    what = f"{'The log is' if one else 'The logs are'} complete and unaltered"
    if not all(log.begins for log in evidence):
        what += f", from {'its first record here' if one else 'their first records here'} on"
    when = signed[0].time[:19].replace("T", " ")
    until = f"the checkpoint of {when}" if one else "the last signed checkpoint of each"
    whose = "" if status == "intact" else ", signed by the key that the log itself names"
    behind = sum(log.after for log in evidence)
    tail = (
        f"; no signature covers the {counted(behind, 'record')} after it, which prove nothing"
        if behind
        else ""
    )
    return f"{what} as far as {until}{whose}{tail}."


def integrity_section(given: Given) -> Section:
    """What checking showed and what it did not, gaps, and what could not be read."""
    evidence, faults = given.evidence, given.faults
    status = find_status(evidence)
    how = (
        "brickscope audit verify checks it."
        if status == "unchecked"
        else "Whole files were checked, not only this period."
    )
    unread: list[tuple[Any, ...]] = [
        *((file, None, why) for file, why in faults.damaged.items()),
        *((line.file, line.number, line.why) for line in faults.named),
    ]
    total = len(faults.damaged) + max(len(faults.named), faults.lines)
    blocks = (
        Text(f"{sentence(evidence)} {how}", status),
        *(block for index, log in enumerate(evidence or ()) for block in _log(index, log)),
        given.counts.table("gaps"),
        Table.written("faults", unread, total),
    )
    points = tuple(_points(evidence, status, faults))
    return Section("integrity", "Integrity", "Can this log be trusted?", blocks, points)


def _log(index: int, log: Evidence) -> Iterator[Any]:
    """One log: a series of files."""
    name = Path(log.files[-1]).name if log.files else "–"
    title = f"{shown(name)}: {counted(len(log.files), 'file')}, {counted(log.records, 'record')}"
    proved = tuple(log.proved()) or ("Nothing, since something is wrong." if log.findings else "Nothing.",)
    yield Lists((("Shown", proved), ("Not shown", tuple(log.not_proved()))), title)
    if log.end is not None:
        yield Text(
            f"Its last record is {log.end.instance}:{log.end.seq}:{log.end.hash}. With --expect, brickscope audit verify "
            "tells later whether the log still holds it."
        )
    if log.findings:
        rows = [(each.file, each.line or None, each.text, each.damage.value) for each in log.findings]
        yield Table.written("findings", rows, len(rows) + log.more_findings, f"findings-{index}")
    if log.notes:
        notes = [(each.file, each.line or None, each.text) for each in log.notes]
        yield Table.written("notes", notes, len(notes) + log.more_notes, f"notes-{index}")


def _points(evidence: Sequence[Evidence] | None, status: Status, faults: Faults) -> Iterator[Point]:
    if status != "intact":
        own = " Give the proxy's own with --public-key." if status == "own key" else ""
        yield Point("serious" if status == "damaged" else "look", sentence(evidence) + own)
    if faults.lines:
        lines = counted(faults.lines, "line")
        yield Point("serious", f"{lines} of the log could not be read; what they held is missing here.")
    if faults.damaged:
        files = counted(len(faults.damaged), "file")
        yield Point("serious", f"{files} could be read in part only: {names(faults.damaged)}.")
