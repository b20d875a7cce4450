"""A call out of the audit log: found by its decision id, and made again from what its record tells.

A record holds no query and no body, but the parameters that rules looked at. What it can't tell is said, never guessed.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, cast
from urllib.parse import quote

import zstandard

from brickscope.audit.record import REDACTED
from brickscope.catalog.catalog import load_catalog
from brickscope.core.grant import TokenRequest
from brickscope.core.policy import Grant

from .call import Call, read_sent
from .error import CallError
from .sent import Sent
from .shown import quoted

DECISION_ID = re.compile(r"[0-9a-f]{8}-[1-9][0-9]{0,17}\Z")
MAX_LINE = 16 * 1024 * 1024
ENDINGS = (".jsonl", ".jsonl.zst", ".jsonl.gz")
NOT_TOLD = "[not in the log]"


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
    wanted, damaged, files = f'"{decision_id}"'.encode(), [], 0
    for path in paths:
        for file in _files(path):
            files += 1
            try:
                for line in _lines(file):
                    if wanted in line and (record := _decision(line, decision_id)) is not None:
                        return record
            except (OSError, EOFError, zlib.error, zstandard.ZstdError):
                damaged.append(str(file))
    hint = (
        f"{', '.join(damaged[:3])} could not be read to the end" if damaged else "give the files with --log"
    )
    raise CallError(f"no decision {decision_id} in {files} file{'' if files == 1 else 's'}", hint)


def _decision(line: bytes, decision_id: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:  # the beginning of a line that a full disk left
        return None
    if not isinstance(record, dict) or record.get("decision_id") != decision_id:
        return None
    return record if record.get("event") in ("decision", "tunnel") else None


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.name.endswith(ENDINGS) and file.is_file())


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as raw:
        stream: IO[bytes] = raw
        if file.suffix == ".gz":
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        elif file.suffix == ".zst":
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            yield from _split(cast("IO[bytes]", reader))
            return
        yield from _split(stream)


def _split(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines, without ever holding one that is longer than any record."""
    kept = b""
    while chunk := stream.read(1024 * 1024):
        *whole, kept = (kept + chunk).split(b"\n")
        yield from whole
        if len(kept) > MAX_LINE:
            kept = b""
    yield kept


def make_again(record: Mapping[str, Any]) -> Logged:
    """The call that a record tells of. Raises CallError for one that is no call: a tunnel, a failure inside."""
    method, path, host = (record.get(key) for key in ("method", "path", "server_address"))
    if record.get("event") != "decision" or not (
        isinstance(method, str) and isinstance(path, str) and isinstance(host, str) and path.startswith("/")
    ):
        raise CallError(
            f"the record is of no call: {record.get('reason')}", "it tells of a connection, or of a failure"
        )
    unknown: list[str] = []
    if REDACTED in path or "\\x" in path or "\\u" in path or path.endswith("..."):
        unknown.append("the path is not whole in the log: it was redacted, escaped or clipped")
    headers: list[tuple[str, str]] = []
    if isinstance(record.get("workspace"), str):
        headers.append(("X-Databricks-Org-Id", record["workspace"]))
    try:
        query, body = _parameters(record, unknown)
    except UnicodeError:  # half a surrogate pair
        raise CallError("the record has text that no client can send") from None
    target = f"https://{host}{path}{f'?{query}' if query else ''}"
    content = json.dumps(body).encode() if body else b""
    asked = _asked(record)
    try:
        call = read_sent(Sent(method, target, headers, content), asked=asked)
    except UnicodeError:
        raise CallError("the record has text that no client can send") from None
    if asked is None:
        unknown.append("query and body are in the log only as far as rules looked at them then")
    try:
        now = datetime.fromisoformat(str(record.get("time"))).timestamp()
    except ValueError:
        raise CallError("the record has no time that can be read") from None
    client = record.get("client_address")
    subject = record.get("subject")
    return Logged(
        record,
        call,
        subject if isinstance(subject, str) else None,
        client if isinstance(client, str) else None,
        now,
        tuple(unknown),
    )


def _asked(record: Mapping[str, Any]) -> TokenRequest | None:
    grant, principal = record.get("grant"), record.get("principal")
    if grant not in [each.value for each in Grant]:
        return None
    client_id = principal.get("client_id") if isinstance(principal, Mapping) else None
    return TokenRequest(Grant(grant), client_id if isinstance(client_id, str) else None)


def _parameters(record: Mapping[str, Any], unknown: list[str]) -> tuple[str, dict[str, Any]]:
    """The query and body that have the parameters of a record, each where the API reads it."""
    operation = load_catalog().operations.get(str(record.get("operation")))
    params, names = record.get("params"), record.get("param_names")
    found: dict[str, Any] = dict(params) if isinstance(params, Mapping) else {}
    top = {name.partition(".")[0] for name in found}
    nameless = [str(name) for name in names if name not in top] if isinstance(names, list) else []
    if nameless:
        found |= dict.fromkeys(nameless, NOT_TOLD)
        unknown.append(f"of {', '.join(map(quoted, nameless[:5]))} the log has the name only")
    query: list[str] = []
    body: dict[str, Any] = {}
    for name, value in found.items():
        first, *below = name.split(".")
        where = None if operation is None else operation.place(first)
        if value is None or where == "path":
            continue
        told = _told(name, value, unknown)
        if where == "query":
            query.append(f"{quote(first, safe='')}={quote(_text(told), safe='')}")
            continue
        holder = body
        for key in (first, *below)[:-1]:
            holder = holder.setdefault(key, {}) if isinstance(holder.get(key, {}), dict) else {}
        holder[(first, *below)[-1]] = told
    return "&".join(query), body


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _told(name: str, value: Any, unknown: list[str]) -> Any:
    """A logged value as it came, as far as the log has it."""
    if isinstance(value, list):
        return [_told(name, each, unknown) for each in value]
    if isinstance(value, Mapping):
        keys = value.get("keys")
        if isinstance(keys, list):
            return dict.fromkeys(map(str, keys), NOT_TOLD)
        unknown.append(f"the value of {quoted(name)} is in the log as a keyed digest only")
        return NOT_TOLD
    if isinstance(value, str) and value != NOT_TOLD and (value == REDACTED or len(value) >= 256):
        unknown.append(f"the value of {quoted(name)} is not whole in the log")
    return value
