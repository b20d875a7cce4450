"""A call out of the audit log: found by its decision id, and made again from what its record tells.

A record holds no query and no body, but the parameters that rules looked at. What it can't tell is said, never guessed.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from brickscope.audit.period import Period
from brickscope.audit.source import SourceError, find_sources, find_unread, read_lines, unread_text
from brickscope.core.policy import Policy
from brickscope.log.closed import DAMAGED

from .again import judge_again
from .call import Call, read_sent, shown_call
from .facts import Facts, NotReplayable, read_facts
from .judge import Known
from .sent import CallError, Sent
from .shown import quoted

DECISION_ID = re.compile(r"[0-9a-f]{8}-[1-9][0-9]{0,17}\Z")


class Logged(NamedTuple):
    """A call of the log, made again. ``now``: when it was decided, seconds since the epoch. ``unknown``: what the record
    can't tell, in sentences."""

    record: Mapping[str, Any]
    call: Call
    client_address: str | None
    now: float
    unknown: tuple[str, ...]


def find_record(paths: Iterable[Path], decision_id: str) -> dict[str, Any]:
    """The record of a decision in these files, or in the logs of these folders. Raises CallError where there is none."""
    wanted, damaged = f'"{decision_id}"'.encode(), []
    try:
        sources = find_sources(paths)
    except SourceError as error:
        raise CallError(str(error)) from None
    for source in sources:
        try:
            for _, line in read_lines(source.path):
                if (
                    line is not None
                    and wanted in line
                    and (record := _decision(line, decision_id)) is not None
                ):
                    return record
        except DAMAGED:
            damaged.append(source.name)
    if damaged:
        hint = f"{', '.join(damaged[:3])} could not be read to the end"
    else:
        hint = "; ".join(unread_text(find_unread(sources, Period()))) or "give the files with --log"
    raise CallError(
        f"no decision {decision_id} in {len(sources)} file{'' if len(sources) == 1 else 's'}", hint
    )


def _decision(line: bytes, decision_id: str) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except ValueError:  # the beginning of a line that a full disk left
        return None
    if not isinstance(record, dict) or record.get("decision_id") != decision_id:
        return None
    return record if record.get("event") in ("decision", "tunnel") else None


def make_again(record: Mapping[str, Any], who: Known, policy: Policy) -> Logged:
    """The call that a record tells of, to be judged for somebody of a policy.

    Raises CallError for a record of no call: a tunnel, a failure inside.
    """
    method, path, host = (record.get(key) for key in ("method", "path", "server_address"))
    if record.get("event") != "decision" or not (
        isinstance(method, str) and isinstance(path, str) and isinstance(host, str) and path.startswith("/")
    ):
        raise CallError(
            f"the record is of no call ({quoted(str(record.get('reason')))})",
            "it tells of a connection, or of a failure",
        )
    try:
        now = datetime.fromisoformat(str(record.get("time"))).timestamp()
    except ValueError:
        raise CallError("the record has no time that can be read") from None
    unknown: list[str] = []
    try:
        facts = read_facts(record, None, None)
    except NotReplayable as error:
        unknown.append(str(error))
        try:
            call = read_sent(Sent(method, f"https://{host}{path}", []))
        except (ValueError, UnicodeError):
            raise CallError(str(error)) from None
    else:
        call = facts.call._replace(text=shown_call(facts.request, facts.body or b"", facts.asked))
        unknown += _untold(facts)
    if call.asked is None:
        unknown.append("query and body are in the log only as far as rules checked them then")
    if who.name == record.get("subject"):
        try:
            judge_again(policy, record)
        except (NotReplayable, KeyError, ValueError) as error:
            why = str(error) if isinstance(error, NotReplayable) else "the record lacks a field"
            unknown.append(f"{why}: the proxy may have said something else than this")
    client = record.get("client_address")
    return Logged(
        record, call, client if isinstance(client, str) else None, now, tuple(dict.fromkeys(unknown))
    )


def _untold(facts: Facts) -> list[str]:
    said = [
        f"of the value of {quoted(name)} the log has a keyed digest only" for name in sorted(facts.digests)
    ]
    top = {name.partition(".")[0] for name in facts.told}
    names = sorted(name for name in facts.names or () if name not in top)
    if names:
        said.append(f"of {', '.join(map(quoted, names[:5]))} the log has the name only")
    return said
