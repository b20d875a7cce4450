"""Running a replay over the files of logs: line by line, in constant memory, each kind of call judged once."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from brickscope.analysis.again import Verdict, judge_again
from brickscope.analysis.facts import NotReplayable
from brickscope.audit.period import Period
from brickscope.audit.plain import plain
from brickscope.core.policy import Policy
from brickscope.log.closed import DAMAGED, open_log
from brickscope.log.extent import in_order, look
from brickscope.log.key import DigestKey
from brickscope.log.line import MAX_RECORD, bounded

from .result import Change, GroupKey, Result, change, what

MAX_REMEMBERED = 200_000
MAX_BAD = 20
_DECISION, _START = b'"event":"decision"', b'"event":"start"'
_FACTS = (
    *("decision", "enforced", "reason", "subject", "rule", "fingerprint", "operation", "client_address"),
    *("server_address", "method", "path", "workspace", "host_workspace", "grant", "has_body"),
    "policy_revision",
)

Progress = Callable[[int], None]
"""Takes the number of bytes read since it was called last."""


class Replay:
    """Judges the calls of logs again."""

    def __init__(
        self,
        policy: Policy,
        key: DigestKey | None = None,
        period: Period = Period(),  # noqa: B008 - immutable
        progress: Progress = lambda _: None,
    ) -> None:
        """``key``: of the digests in the log, where their run's ``start`` record names it. ``period``: which part of it."""
        self._policy, self._key, self._progress = policy, key, progress
        self._since, self._until = map(plain, period)
        self._judged: dict[tuple[Any, ...], GroupKey] = {}
        self._keyed: set[str] = set()
        self._ends = _ends(policy)
        self.result = Result(policy.revision)

    def run(self, paths: Iterable[Path]) -> Result:
        """Go through the files."""
        # In the order of the chain: a run's `start` names the key of its digests.
        for path in (each.path for each in in_order(map(look, paths))):
            try:
                with open_log(path) as file:
                    self._read(path, file)
            except DAMAGED as error:
                self._bad(f"{path}: it can't be read to its end: {error or type(error).__name__}")
        return self.result

    def _read(self, path: Path, file: IO[bytes]) -> None:
        read = 0
        for number, line in enumerate(bounded(file), 1):
            if line is None:
                self._bad(
                    f"{path}:{number}: the line is longer than {MAX_RECORD:,} bytes, so it is no record"
                )
                continue
            read += len(line)
            if read > 4 * 1024 * 1024:
                self._progress(read)
                read = 0
            if (_DECISION not in line and _START not in line and line.startswith(b"{")) or not line.strip():
                continue
            try:
                record = orjson.loads(line)
                if record.get("event") == "decision":
                    self._judge(record)
                elif (
                    self._key
                    and record.get("event") == "start"
                    and record.get("digest_key_id") == self._key.key_id
                ):
                    # A digest by another key would be taken for another value.
                    self._keyed.add(record["instance"])
            except (ValueError, KeyError, TypeError, AttributeError):
                self._bad(f"{path}:{number}: the line is no record")
        self._progress(read)

    def _bad(self, text: str) -> None:
        self.result.bad += 1
        if len(self.result.bad_lines) < MAX_BAD:
            self.result.bad_lines.append(text)

    def _judge(self, record: Mapping[str, Any]) -> None:
        time = record["time"]
        if (self._since is not None and time < self._since) or (
            self._until is not None and time >= self._until
        ):
            return
        keyed = record["instance"] in self._keyed
        facts = (
            *map(record.get, _FACTS),
            str(record.get("principal")),
            str(record.get("batch")),
            bisect_right(self._ends, time),
            keyed,
        )
        key = self._judged.get(facts)
        if key is None:
            # Most rules look at no parameters; only where they do, these make another kind of call.
            more = (*facts, str(record.get("params")), str(record.get("param_names")))
            key = self._judged.get(more)
            if key is None:
                if len(self._judged) >= MAX_REMEMBERED:
                    self._judged.clear()
                key, looked = self._again(record, self._key if keyed else None)
                self._judged[more if looked else facts] = key
        self.result.add(key, time, record["decision_id"])

    def _again(self, record: Mapping[str, Any], digests: DigestKey | None) -> tuple[GroupKey, bool]:
        """The group of a call, and whether its parameters had a part in that."""
        then = Verdict.then(record)
        common = (record.get("subject"), what(record), then.reason)
        try:
            now = judge_again(self._policy, record, digests)
        except NotReplayable as why:
            return GroupKey(Change.NOT_REPLAYABLE, *common, None, then.rule, None, str(why)), True
        return GroupKey(change(then, now), *common, now.reason, then.rule, now.rule, None), now.looked


def _ends(policy: Policy) -> list[str]:
    """The times at which somebody's rights end: calls before and after one are two kinds."""
    found = {each.expires for each in policy.everybody if each.expires is not None}
    return sorted(plain(datetime.fromtimestamp(each, UTC)) for each in found)
