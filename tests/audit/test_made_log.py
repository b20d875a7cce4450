"""The made logs are what the schema of the records allows."""

from __future__ import annotations

from audit.made_log import line, made_records
from brickscope.audit.event import check_record


def test_every_made_record_is_valid() -> None:
    events = set()
    for record in made_records(3000, runs=3):
        check_record(line(record))
        events.add(record["event"])
    assert events >= {
        "start",
        "key_set",
        "decision",
        "outcome",
        "tunnel",
        "tls_refused",
        "reload",
        "mode_change",
        "checkpoint",
        "stop",
    }
