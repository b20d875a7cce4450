"""A call out of the audit log: found by its decision id, and made again from what its record tells.

A record holds no query and no body, but the parameters that rules looked at. What it can't tell is said, never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from brickscope.audit.closed import DAMAGED
from brickscope.audit.record import printable
from brickscope.audit.source import SourceError, find_sources, read_lines
from brickscope.core.grant import TokenRequest
from brickscope.core.policy import Grant

from .call import Call
from .error import CallError
from .facts import Facts, NotReplayable, read_facts
from .shown import quoted

DECISION_ID = re.compile(r"[0-9a-f]{8}-[1-9][0-9]{0,17}\Z")


class Logged(NamedTuple):
    """A call of the log, made again. ``subject``: whose it was, None where the policy did not name it.

    ``now``: when it was decided, seconds since the epoch. ``unknown``: what the record can't tell, in sentences.
    """

    record: Mapping[str, Any]
    call: Call
    subject: str | None
    client_address: str | None
    now: float
    unknown: tuple[str, ...]


def find_record(paths: Iterable[Path], decision_id: str) -> dict[str, Any]:
    """The record of a decision in these files, or in the logs of these folders. Raises CallError where there is none."""
    wanted, damaged = f'"{decision_id}"'.encode(), []
    try:
        sources = find_sources(paths)
    except SourceError as error:
        raise CallError(str(error), "give the files with --log") from None
    for source in sources:
        try:
            for _, line in read_lines(source.path):
                if line and wanted in line and (record := _decision(line, decision_id)) is not None:
                    return record
        except DAMAGED:
            damaged.append(source.name)
    hint = (
        f"{', '.join(damaged[:3])} could not be read to the end" if damaged else "give the files with --log"
    )
    many = f"{len(sources)} file{'' if len(sources) == 1 else 's'}"
    raise CallError(f"no decision {decision_id} in {many}", hint)


def _decision(line: bytes, decision_id: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:  # the beginning of a line that a loss of power left
        return None
    if not isinstance(record, dict) or record.get("decision_id") != decision_id:
        return None
    return record if record.get("event") in ("decision", "tunnel") else None


def make_again(record: Mapping[str, Any]) -> Logged:
    """The call that a record tells of. Raises CallError for one that is no call (a tunnel, a failure inside), or whose
    path is not in the log."""
    path = record.get("path")
    if record.get("event") != "decision" or not isinstance(path, str) or not path.startswith("/"):
        raise CallError(
            f"the record is of no call: {record.get('reason')}", "it tells of a connection, or of a failure"
        )
    try:
        facts = read_facts(record, None, None)
    except NotReplayable as why:
        raise CallError(str(why)) from None
    request, asked = facts.request, _asked(record)
    text = f"{request.method} https://{request.host}{path}{f'?{request.query}' if request.query else ''}"
    if facts.body:
        text += f" {facts.body.decode()}"
    try:
        now = datetime.fromisoformat(str(record.get("time"))).timestamp()
    except ValueError:
        raise CallError("the record has no time that can be read") from None
    client, subject = record.get("client_address"), record.get("subject")
    return Logged(
        record,
        Call(printable(text), request, facts.body, asked),
        subject if isinstance(subject, str) else None,
        client if isinstance(client, str) else None,
        now,
        () if asked is not None else tuple(_unknown(facts)),
    )


def _unknown(facts: Facts) -> Iterator[str]:
    """What the record can't tell, in sentences."""
    known = {name.partition(".")[0] for name in facts.told}
    if nameless := sorted((facts.names or set()) - known):
        yield f"of {', '.join(map(quoted, nameless[:5]))} the log has the name only"
    for name in sorted(facts.digests):
        yield f"the value of {quoted(name)} is in the log as a keyed digest only"
    yield "query and body are in the log only as far as rules looked at them then"


def _asked(record: Mapping[str, Any]) -> TokenRequest | None:
    grant, principal = record.get("grant"), record.get("principal")
    if grant not in [each.value for each in Grant]:
        return None
    client_id = principal.get("client_id") if isinstance(principal, Mapping) else None
    return TokenRequest(Grant(grant), client_id if isinstance(client_id, str) else None)
