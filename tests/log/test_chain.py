"""Lines of the log: which are a record as the proxy writes it, and what they claim."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
import pytest

from brickscope.log.chain import GENESIS, Link, canonical, read_hash, read_link, read_record, seal, true_hash

RECORD: dict[str, Any] = {
    "event": "stop",
    "instance": "1a2b3c4d",
    "prev_hash": GENESIS,
    "schema": 1,
    "seq": 7,
}


def line(content: bytes | None = None, **changes: Any) -> bytes:
    """The line of a record with its true hash, without its end; a change to ``...`` takes a member out."""
    record = {name: value for name, value in {**RECORD, **changes}.items() if value is not ...}
    body = canonical(record) if content is None else content
    return body[:-1] + b',"hash":"' + sha256(body).hexdigest().encode() + b'"}'


def test_what_was_sealed_is_read() -> None:
    written, digest = seal(RECORD)
    assert written == line() + b"\n"
    assert (read_hash(line()), true_hash(line())) == (digest, digest)
    assert read_record(line()) == {**RECORD, "hash": digest}
    assert read_link(line()) == Link("1a2b3c4d", 7, digest)


NO_RECORD: dict[str, bytes] = {
    "a blank that the proxy does not write": line(canonical(RECORD).replace(b":", b": ", 1)),
    "members in another order": line(orjson.dumps({"seq": 7, **RECORD})),
    "a letter that is escaped": line(canonical(RECORD).replace(b"stop", b"\\u0073top")),
    "a member twice": line(canonical(RECORD).replace(b'"seq":7', b'"seq":7,"seq":7')),
    "a number that is a fraction": line(seq=7.0),
    "a number that is a text": line(seq="7"),
    "a number that is true": line(seq=True),
    "no number": line(seq=...),
    "an instance that is a number": line(instance=5),
    "no instance": line(instance=...),
    "an event that is nothing": line(event=None),
    "no event": line(event=...),
    "no record before": line(prev_hash=...),
    "a list": line(b"[1, 2]"),
    "a text": line(b'"a"'),
    "no JSON": line(b"{"),
    "nothing": b"",
}


@pytest.mark.parametrize("content", NO_RECORD.values(), ids=NO_RECORD)
def test_what_is_written_otherwise_is_no_record(content: bytes) -> None:
    assert read_record(content) is None


NO_LINK: dict[str, bytes] = {
    "a byte is changed": line().replace(b"stop", b"stip"),
    "its hash is changed": line()[:-3] + (b"0" if line()[-3:-2] != b"0" else b"1") + b'"}',
    "it is cut off at its end": line()[:-1],
    "it is cut off at its beginning": line()[1:],
    "its hash has another name": line().replace(b'"hash"', b'"hush"'),
    "its line end is still there": line() + b"\n",
    "no instance": line(instance=...),
    "no number": line(seq=...),
    "a number that is none": line(seq="x"),
    "a number that is nothing": line(seq=None),
    "a list": line(b"[1, 2]"),
    "no JSON": line(b"{"),
    "nothing": b"",
}


@pytest.mark.parametrize("content", NO_LINK.values(), ids=NO_LINK)
def test_from_what_no_record_goes_on(content: bytes) -> None:
    assert read_link(content) is None
