"""Why a record does not go on from the one before it, and what a log says of its own gaps, in words for an auditor."""

from typing import Any

from brickscope.count import counted
from brickscope.log.chain import Link

from .evidence import Damage


def what_broke(link: Link, end: Link, *, between_files: bool) -> tuple[Damage, str]:
    """Why ``link`` can't stand behind ``end``. ``between_files``: a file ends there and the next begins."""
    if link.instance != end.instance:
        if between_files:
            return Damage.MISSING_FILE, "the file does not go on from the one before: one is missing"
        if link.seq == 1:
            return Damage.REMOVED, f"records at the end of instance {end.instance} are missing"
        return (
            Damage.FOREIGN,
            f"the record is of instance {link.instance}, and goes on from none that is here",
        )
    if link.seq > end.seq + 1:
        count = link.seq - end.seq - 1
        damage = Damage.MISSING_FILE if between_files else Damage.REMOVED
        return damage, f"{missing_words(count)} ({end.seq + 1} to {link.seq - 1})"
    if link.seq <= end.seq:
        return Damage.INSERTED, f"the record stands after record {end.seq}, and can't belong there"
    return (
        Damage.ALTERED,
        "the record does not go on from the one before it: one of the two was put there",
    )


def missing_words(count: int) -> str:
    """What to say of ``count`` records that are not here."""
    return f"{counted(count, 'record')} before this one {'is' if count == 1 else 'are'} missing"


def fork_words(head: int, end: Link) -> str:
    """What to say of records up to ``end`` that a run did not find, since it went on from record ``head``."""
    which = f"record {end.seq}" if end.seq == head + 1 else f"records {head + 1} to {end.seq}"
    return (
        f"the proxy went on from record {head} of instance {end.instance}, since it did not find what came after it; "
        f"{which}, before this line, were written and are not lost, but nothing vouches for them"
    )


def gap_words(record: dict[str, Any]) -> str:
    """What a ``gap`` record says."""
    cause, detail = record.get("cause"), record.get("detail")
    if cause == "write_failed":
        return (
            f"from {record.get('since')} on no record could be written ({detail}): calls denied without a record: "
            f"{record.get('denied')}; other records lost: {record.get('lost')}"
        )
    if cause == "retention":
        return f"the file {record.get('file')} was deleted, since it is {detail}"
    return f"the proxy found on its way: {detail}"
