"""From where to where a file of the log reaches, whatever stands in it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from audit.written import call, open_writer, records, run, start
from brickscope.audit.chain import Link, seal
from brickscope.audit.extent import Extent, end_of, in_order, look, named_end, read_end


def line(seq: int, event: str = "decision", **more: Any) -> bytes:
    return seal(
        {
            "instance": "aaaaaaaa",
            "seq": seq,
            "event": event,
            "time": f"t{seq}",
            "prev_hash": f"h{seq - 1}",
            **more,
        }
    )[0]


def file(folder: Path, *lines: bytes, name: str = "audit.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"".join(lines))
    return path


BEFORE = {"instance": "bbbbbbbb", "seq": 9, "hash": "x"}


def test_a_file_that_begins_in_the_middle_of_a_run(tmp_path: Path) -> None:
    path = file(tmp_path, line(5), line(6))
    assert look(path) == Extent(path, "h4", "t5", ("aaaaaaaa", 5), ("aaaaaaaa", 4))
    path = file(tmp_path, line(2, "start", previous=BEFORE))
    assert look(path).after == ("aaaaaaaa", 1)


def test_a_file_that_begins_with_a_run(tmp_path: Path) -> None:
    path = file(tmp_path, line(1, "start", previous=BEFORE), line(2))
    assert look(path) == Extent(path, "h0", "t1", ("aaaaaaaa", 1), ("bbbbbbbb", 9))
    path = file(tmp_path, line(1, "start", previous=None), line(2))
    assert look(path) == Extent(path, "h0", "t1", ("aaaaaaaa", 1), None)


def test_gaps_may_stand_before_the_start_of_a_run(tmp_path: Path) -> None:
    path = file(tmp_path, line(1, "gap"), line(2, "gap"), line(3, "start", previous=BEFORE))
    assert look(path).after == ("bbbbbbbb", 9)
    assert look(path).first == ("aaaaaaaa", 1)


def test_broken_lines_may_stand_before_the_first_record(tmp_path: Path) -> None:
    broken = [b"no json\n", b"{}\n", b'{"instance":"x","seq":"y"}\n', b"[]\n", b"\n"]
    path = file(tmp_path, *broken, line(5))
    assert look(path).first == ("aaaaaaaa", 5)
    path = file(tmp_path, *[b"x\n"] * 19, line(5))
    assert look(path).first == ("aaaaaaaa", 5)
    path = file(tmp_path, *[b"x\n"] * 20, line(5))
    assert look(path) == Extent(path)


def test_a_file_that_tells_nothing(tmp_path: Path) -> None:
    for path in (
        file(tmp_path),
        file(tmp_path, b"x" * 100),
        tmp_path / "nowhere",
        file(tmp_path, b"x", name="a.zst"),
    ):
        assert look(path) == Extent(path)
        assert read_end(path) is None
        assert end_of(path) is None


PACK = {
    ".jsonl": bytes,
    ".jsonl.gz": gzip.compress,
    ".jsonl.zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("ending", PACK)
def test_the_last_whole_record_of_a_file(ending: str, tmp_path: Path) -> None:
    written = run(tmp_path)
    end = records(written.path)[-1]
    content = written.path.read_bytes()
    last = Link(end["instance"], end["seq"], end["hash"])
    lines = content.splitlines(keepends=True)
    before = orjson.loads(lines[-2])
    for rest, expected in {
        b"": last,
        b"\n": last,
        b'{"half of a': last,
        b"no json\n": last,
        b"no json\n{half": last,
    }.items():
        path = tmp_path / f"a{ending}"
        path.write_bytes(PACK[ending](content + rest))
        assert read_end(path) == expected
        assert end_of(path) == (end["instance"], end["seq"])
        assert look(path).first == (end["instance"], 1)
    path.write_bytes(PACK[ending](content[:-1]))
    assert read_end(path) == last, "only the line end is missing"
    path.write_bytes(PACK[ending](content[:-10]))
    assert read_end(path) == Link(before["instance"], before["seq"], before["hash"])
    path.write_bytes(PACK[ending](b"".join(lines[:-1]) + lines[-1].replace(b'"stop"', b'"STOP"')))
    assert read_end(path) is None, "a record that was changed is no end"
    path.write_bytes(PACK[ending](lines[0]))
    assert read_end(path) == Link(end["instance"], 1, orjson.loads(lines[0])["hash"])


def test_the_end_of_a_large_file(tmp_path: Path) -> None:
    path = file(tmp_path, line(1), b"x" * 3_000_000 + b"\n", line(2), b"y" * 1_500_000)
    assert read_end(path) == Link("aaaaaaaa", 2, orjson.loads(line(2))["hash"])


def test_the_end_by_the_name_of_a_closed_file(tmp_path: Path) -> None:
    path = file(tmp_path, line(7), name="audit-20261124T193000Z-1a2b3c4d-5000.jsonl")
    assert named_end(path) == end_of(path) == ("1a2b3c4d", 5000)
    assert named_end(file(tmp_path, name="audit.jsonl")) is None
    assert named_end(tmp_path / "audit-20261124T193000Z-1a2b3c4d-5000.jsonl.zst") == ("1a2b3c4d", 5000)


def made(path: str, after: tuple[str, int] | None, time: str = "t") -> Extent:
    return Extent(Path(path), "h", time, ("x", 1), after)


def closed(instance: str, seq: int) -> str:
    return f"audit-20260101T000000Z-{instance}-{seq}.jsonl"


ONE, TWO, THREE = (closed(letter * 8, 10) for letter in "abc")


def test_files_follow_the_chain_and_not_the_clock() -> None:
    chain = [made(ONE, None, "t9"), made(TWO, ("aaaaaaaa", 10), "t5"), made(THREE, ("bbbbbbbb", 10), "t1")]
    assert in_order(chain) == chain
    assert in_order(reversed(chain)) == chain
    assert in_order(chain[:1]) == chain[:1]
    assert in_order([]) == []


def test_of_two_that_go_on_from_the_same_the_earlier_comes_first() -> None:
    root, early, late = (
        made(ONE, None),
        made(TWO, ("aaaaaaaa", 10), "t1"),
        made(THREE, ("aaaaaaaa", 10), "t2"),
    )
    after_early = made(closed("d" * 8, 10), ("bbbbbbbb", 10), "t9")
    assert in_order([late, after_early, early, root]) == [root, early, after_early, late]


def test_of_two_that_go_on_from_nothing_the_earlier_comes_first() -> None:
    early, late = made(TWO, ("zzzzzzzz", 1), "t1"), made(ONE, None, "t2")
    assert in_order([late, early]) == [early, late]
    assert in_order([made(TWO, None), made(ONE, None)]) == [made(ONE, None), made(TWO, None)], "then by name"


def test_a_circle_loses_no_file() -> None:
    one, two = made(ONE, ("bbbbbbbb", 10)), made(TWO, ("aaaaaaaa", 10))
    itself = made(THREE, ("cccccccc", 10))
    assert in_order([two, one]) == [one, two]
    assert in_order([itself, made(ONE, None)]) == [made(ONE, None), itself]


def test_files_of_a_real_log_in_order(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    for _ in range(3):
        call(writer)
        assert writer._rotate()
    call(writer)
    paths = [*writer.closed, writer.path]
    assert [each.path for each in in_order(map(look, reversed(paths)))] == paths
