"""Checking a log: any change of any byte is found and located, and nothing is claimed that was not shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brickscope.audit.evidence import Damage, Evidence
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.log.chain import canonical, seal
from brickscope.log.closed import compress, series
from brickscope.log.key import SigningKey, VerifyKey
from brickscope.log.writer import Keeping
from examples import examples
from log.written import call, open_writer, run, start, stop, verify


def check(*paths: Path, key: VerifyKey | None = None, schema: bool = True) -> Evidence:
    return verify(paths, Verifier(key, schema=schema))


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two runs in one file."""
    run(tmp_path, calls=5)
    return run(tmp_path, calls=5).path


def test_an_untouched_log_is_proved(log: Path, tmp_path: Path) -> None:
    key = VerifyKey.load(tmp_path / "keys" / "brickscope-audit-key.pem")
    found = check(log, key=key)
    assert found.findings == found.notes == []
    assert (found.records, found.bytes) == (len(lines_of(log)), log.stat().st_size)
    assert found.begins
    assert found.stopped
    assert found.after == 0
    assert found.trusted
    said = " ".join(found.proved())
    assert "unaltered, complete and in order" in said
    assert "from its very first record" in said
    assert f"the key you gave ({key.key_id})" in said
    assert "somebody who had the signing key" in " ".join(found.not_proved())


def other_log(log: Path) -> list[bytes]:
    folder = log.parent / "other"
    folder.mkdir()
    return lines_of(run(folder, calls=4).path)


def replaced(lines: list[bytes], at: int, old: bytes, new: bytes) -> list[bytes]:
    assert old in lines[at]
    return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]


Change = Callable[[list[bytes], Path], list[bytes]]
# how the lines are changed; damage, line (counted from 1) and words of the only finding
TAMPERED: dict[str, tuple[Change, Damage, int, str]] = {
    "a verdict": (
        lambda lines, log: replaced(lines, 3, b'"decision":"allow"', b'"decision":"deny!"'),
        Damage.ALTERED,
        4,
        "not the record that was written",
    ),
    "white space": (
        lambda lines, log: replaced(lines, 2, b'","', b'", "'),
        Damage.ALTERED,
        3,
        "not the record",
    ),
    "a hash": (lambda lines, log: replaced(lines, 2, lines[2][-10:-3], b"0000000"), Damage.ALTERED, 3, ""),
    "a line taken out": (
        lambda lines, log: lines[:4] + lines[5:],
        Damage.REMOVED,
        5,
        "1 record before this one is missing (5 to 5)",
    ),
    "three lines taken out": (
        lambda lines, log: lines[:2] + lines[5:],
        Damage.REMOVED,
        3,
        "3 records before this one are missing (3 to 5)",
    ),
    "two lines exchanged": (
        lambda lines, log: [*lines[:3], lines[4], lines[3], *lines[5:]],
        Damage.REORDERED,
        4,
        "record 4 stands behind it",
    ),
    "a line moved far down": (
        lambda lines, log: [*lines[:3], *lines[4:8], lines[3], *lines[8:]],
        Damage.REORDERED,
        4,
        "record 4 stands behind it",
    ),
    "a line twice": (
        lambda lines, log: [*lines[:5], lines[4], *lines[5:]],
        Damage.INSERTED,
        6,
        "can't belong there",
    ),
    "an earlier line again": (
        lambda lines, log: [*lines[:6], lines[2], *lines[6:]],
        Damage.INSERTED,
        7,
        "can't belong there",
    ),
    "an empty line": (
        lambda lines, log: [*lines[:5], b"\n", *lines[5:]],
        Damage.INSERTED,
        6,
        "nothing is missing without it",
    ),
    "a line that is no record": (
        lambda lines, log: [*lines[:5], b'{"hello":1}\n', *lines[5:]],
        Damage.INSERTED,
        6,
        "nothing is missing without it",
    ),
    "a line of another log": (
        lambda lines, log: [*lines[:5], other_log(log)[4], *lines[5:]],
        Damage.FOREIGN,
        6,
        "goes on from none that is here",
    ),
    "lines of another log": (
        lambda lines, log: [*lines[:5], *other_log(log)[2:6], *lines[5:]],
        Damage.FOREIGN,
        6,
        "goes on from none that is here",
    ),
    "the end of the first run": (
        lambda lines, log: lines[:6] + lines[len(lines) // 2 :],
        Damage.REMOVED,
        7,
        "records at the end of instance",
    ),
    "half a line at the end": (
        lambda lines, log: [*lines, b'{"client_address":'],
        Damage.TRUNCATED,
        -1,
        "not a complete record",
    ),
    "the last line cut": (
        lambda lines, log: [*lines[:-1], lines[-1][:50]],
        Damage.TRUNCATED,
        -1,
        "not a complete record",
    ),
    "the last line end": (
        lambda lines, log: [*lines[:-1], lines[-1][:-1]],
        Damage.ALTERED,
        -1,
        "has lost its line end",
    ),
}


@pytest.mark.parametrize(("change", "damage", "line", "words"), TAMPERED.values(), ids=TAMPERED)
def test_tampering_is_found_named_and_located(
    change: Change, damage: Damage, line: int, words: str, log: Path
) -> None:
    changed = change(lines_of(log), log)
    log.write_bytes(b"".join(changed))
    found = check(log, schema=False)
    assert [each.damage for each in found.findings] == [damage]
    (finding,) = found.findings
    assert finding.line == (line if line > 0 else len(changed))
    assert words in finding.text
    assert found.proved() == []


def test_a_cut_at_the_end_shows_by_the_head_only(log: Path, tmp_path: Path) -> None:
    from brickscope.log.head import HeadFile

    head = HeadFile(tmp_path / "keys", log).read()
    assert head is not None
    assert verify([log], Verifier(head=head)).head_checked
    log.write_bytes(b"".join(lines_of(log)[:-3]))
    without = check(log)
    assert without.findings == []
    assert not without.stopped
    assert "the end was cut" in " ".join(without.not_proved())
    found = verify([log], Verifier(head=head))
    assert [each.damage for each in found.findings] == [Damage.TRUNCATED]
    assert f"had come to record {head.seq}" in found.findings[0].text


def forge(log: Path, sign: SigningKey | None) -> None:
    """Rewrite the whole chain after a change, as somebody who knows this program would."""
    import orjson

    previous, made = "0" * 64, []
    for line in lines_of(log):
        record = orjson.loads(line)
        del record["hash"]
        record["prev_hash"] = previous
        if record.get("reason") == "no_rule_matches":
            record["subject"] = "somebody-else"
        if record["event"] == "checkpoint" and sign is not None:
            del record["signature"]
            record["signature"] = sign.sign(canonical(record))
        sealed, previous = seal(record)
        made.append(sealed)
    log.write_bytes(b"".join(made))


def test_a_forged_chain_fails_at_its_signatures(log: Path) -> None:
    forge(log, None)
    damages = {each.damage for each in check(log).findings}
    assert damages == {Damage.BAD_SIGNATURE}


def test_a_checkpoint_with_two_previous_hashes_signs_nothing(log: Path) -> None:
    # One reader takes the first, which is forged, and the signature's reader the last, which is true.
    import re
    from hashlib import sha256

    previous, made = b"", []
    for line in log.read_bytes().splitlines():
        body = (line[:-75] + b"}").replace(b"unity-catalog/catalogs", b"unity-catalog/forged")
        true = re.search(rb'"prev_hash":"([0-9a-f]{64})"', body)
        assert true
        if previous and b'"event":"checkpoint"' in body:
            body = body.replace(true[1], previous, 1)[:-1] + b',"prev_hash":"' + true[1] + b'"}'
        elif previous:
            body = body.replace(true[1], previous)
        previous = sha256(body).hexdigest().encode()
        made.append(body[:-1] + b',"hash":"' + previous + b'"}\n')
    log.write_bytes(b"".join(made))
    assert check(log, schema=False).findings


SEALED = {
    "no JSON": b"garbage}",
    "no record": b'{"event":"decision","x":1}',
    "a number that is none": b'{"a":"b","event":"start","instance":"aaaaaaaa","prev_hash":"x","seq":[1]}',
    "a very long number": b'{"event":"stop","instance":"aaaaaaaa","prev_hash":"x","schema":1,"seq":'
    + b"9" * 5000
    + b"}",
    "not in the order of names": b'{"seq":1,"event":"stop","instance":"aaaaaaaa","prev_hash":"x"}',
}


@pytest.mark.parametrize("body", SEALED.values(), ids=SEALED)
def test_a_true_hash_makes_no_record(body: bytes, tmp_path: Path) -> None:
    from hashlib import sha256

    path = tmp_path / "x.jsonl"
    path.write_bytes(body[:-1] + b',"hash":"' + sha256(body).hexdigest().encode() + b'"}\n')
    assert [each.damage for each in check(path, schema=False).findings] == [Damage.ALTERED]


def test_a_log_without_checkpoints_is_not_the_keys(log: Path, tmp_path: Path) -> None:
    key = VerifyKey.load(tmp_path / "keys" / "brickscope-audit-key.pem")
    log.write_bytes(b"".join(lines_of(log)[:5]))
    assert [each.damage for each in check(log, key=key).findings] == [Damage.BAD_SIGNATURE]


def test_files_of_one_log_under_other_names_are_missed(rotated: list[Path]) -> None:
    first, last = rotated[0], rotated[-1]
    middle = rotated[1:-1]
    last.rename(last.with_name("proxy2.jsonl"))
    found = verify_logs([first, last.with_name("proxy2.jsonl")], lambda _: Verifier())
    assert middle
    assert [each.damage for log in found for each in log.findings] == [Damage.MISSING_FILE]


def test_a_chain_signed_by_another_key_is_told_by_the_true_one(log: Path, tmp_path: Path) -> None:
    true = VerifyKey.load(tmp_path / "keys" / "brickscope-audit-key.pem")
    forge(log, SigningKey.load_or_make(tmp_path / "other.pem"))
    assert {each.damage for each in check(log, key=true).findings} == {Damage.BAD_SIGNATURE}


@settings(
    max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_change_of_any_byte_is_found_and_located(data: st.DataObject, log: Path) -> None:
    content = log.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != content[at]))
    changed = log.with_name("changed.jsonl")
    changed.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
    found = check(changed, schema=False)
    line = content.count(b"\n", 0, at) + 1
    assert found.findings
    assert any(abs(each.line - line) <= 1 for each in found.findings)
    changed.unlink()


@settings(
    max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_order_but_the_true_one_is_found(data: st.DataObject, log: Path) -> None:
    lines = lines_of(log)
    chosen = data.draw(
        st.lists(st.integers(0, len(lines) - 1), min_size=1, max_size=len(lines) + 3).filter(
            # A part of the chain without a hole is a log that begins later or ends sooner.
            lambda order: order != list(range(order[0], order[0] + len(order)))
        )
    )
    changed = log.with_name("changed.jsonl")
    changed.write_bytes(b"".join(lines[index] for index in chosen))
    assert check(changed, schema=False).findings
    changed.unlink()


def test_a_torn_line_that_the_next_run_recorded_is_no_damage(tmp_path: Path) -> None:
    path = run(tmp_path).path
    with path.open("ab") as file:
        file.write(b'{"client_address":"10.0.')
    run(tmp_path)
    found = check(path)
    assert found.findings == []
    assert len(found.notes) == 1
    path.write_bytes(path.read_bytes().replace(b'"10.0.\n', b'"10.1.\n'))
    assert [each.damage for each in check(path).findings] == [Damage.ALTERED]


def test_calls_in_flight_at_a_crash_are_named(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    call(writer)
    lost = call(writer, outcome=False)
    denied_in_monitor = call(writer, allow=False, outcome=False, enforced=False, mode="monitor")
    call(writer, allow=False)
    os.close(writer._file.fd)  # killed
    assert check(writer.path).in_flight == [lost, denied_in_monitor]
    run(tmp_path)
    found = check(writer.path)
    assert found.findings == []
    assert (found.in_flight, found.unfinished) == ([lost, denied_in_monitor], 2)
    assert "without a stop record" in found.notes[0].text


@pytest.fixture
def rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=3000))
    start(writer)
    for _ in range(12):
        monkeypatch.setattr(writer, "_looked", 0)
        call(writer)
    stop(writer)
    for index, path in enumerate(series(writer.path)):
        compress(path, ("zstd", "gzip", "none")[index % 3])
    return [*series(writer.path), writer.path]


def test_a_rotated_log_is_one_chain(rotated: list[Path]) -> None:
    assert len(rotated) > 3
    found = check(*rotated)
    assert found.findings == []
    assert found.begins


def test_a_missing_file_of_a_series_is_named(rotated: list[Path]) -> None:
    found = check(rotated[0], *rotated[2:])
    assert [each.damage for each in found.findings] == [Damage.MISSING_FILE]
    assert found.findings[0].file == str(rotated[2])


def test_a_series_without_its_beginning_says_so(rotated: list[Path]) -> None:
    found = check(*rotated[1:])
    assert found.findings == []
    assert not found.begins
    assert "begins in the middle" in " ".join(found.not_proved())


def test_a_compressed_file_that_is_damaged_is_named(rotated: list[Path]) -> None:
    content = rotated[0].read_bytes()
    rotated[0].write_bytes(content[: len(content) // 2])
    damages = {each.damage for each in check(*rotated).findings}
    assert Damage.UNREADABLE in damages


def test_a_file_that_is_no_log_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\x00hello\n" * 500)
    found = check(tmp_path / "x")
    assert len(found.findings) == 100
    assert found.records == 0
    assert found.end is None


def test_an_empty_log_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    found = check(tmp_path / "x")
    assert found.intact
    assert found.proved() == []
