"""Files that hold the same records are found, and no others: by any cuts of a log of several runs."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.audit.overlap import find_overlaps
from brickscope.audit.source import find_sources
from examples import examples


def _line(run: int, seq: int) -> bytes:
    before = {"hash": "0" * 64, "instance": f"{run - 1:08x}", "seq": 9} if run and seq == 1 else None
    record = {"event": "start" if seq == 1 else "decision", "instance": f"{run:08x}", "previous": before}
    times = {"seq": seq, "time": f"2026-11-24T10:{run:02}:{seq:02}.000000Z"}
    return orjson.dumps(record | times, option=orjson.OPT_SORT_KEYS) + b"\n"


LINES = [_line(run, seq) for run, length in enumerate((9, 1, 14, 6, 2)) for seq in range(1, length + 1)]
ENDS = st.integers(0, len(LINES))
NAMES: dict[str, Callable[[bytes], bytes]] = {"jsonl": lambda content: content, "jsonl.gz": gzip.compress}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples."""
    return tmp_path_factory.mktemp("cuts")


@given(st.lists(st.tuples(ENDS, ENDS, st.sampled_from([*NAMES])), min_size=2, max_size=5))
@settings(max_examples=examples(300), deadline=None)
def test_files_with_the_same_records(folder: Path, cuts: list[tuple[int, int, str]]) -> None:
    for file in folder.iterdir():
        file.unlink()
    held: dict[Path, set[int]] = {}
    for number, (one, other, name) in enumerate(cuts):
        begin, end = min(one, other), max(one, other)
        file = folder / f"{number}.{name}"
        file.write_bytes(NAMES[name](b"".join(LINES[begin:end])))
        held[file] = set(range(begin, end))
    shared = {file for file in held for other in held if file != other and held[file] & held[other]}
    assert find_overlaps(find_sources([folder])) == shared
