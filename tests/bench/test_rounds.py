"""A race goes on without the peers that are missing or break, and says so; what came of it stands in the document."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.bench.__main__ import main
from lab.bench.endtoend import Run
from lab.bench.load import Result
from lab.bench.peers import rounds
from lab.bench.peers.document import BEGIN, END, DocumentError, check_document, render, write_section
from lab.bench.peers.peer import Peer, needs_program
from lab.bench.peers.roster import BARE_PEER, PRODUCT_PEER
from lab.bench.peers.rounds import CALLS, DIRECT, Race, Scale, run_race
from lab.bench.peers.table import cell, is_held_back, rate, ratio
from lab.bench.processes import Proxy, StartError, environment
from lab.bench.variants import Stage

TINY = Scale(rounds=1, seconds=0.2, transfers=0, size=1, patience=30)
linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the bench reads Linux's /proc")


@contextmanager
def broken(stage: Stage) -> Iterator[Proxy]:
    raise StartError("it did not\nstart")
    yield


def peer(name: str, missing: str = "") -> Peer:
    return Peer(name, "for a test", broken, lambda: missing, lambda: "1.0")


@linux
def test_what_is_missing_or_breaks_is_named_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        rounds, "PEERS", (peer("absent", "absent is not installed"), BARE_PEER, peer("broken"))
    )
    said: list[str] = []
    race = run_race(TINY, said.append)
    assert [each.name for each in race.peers] == [BARE_PEER.name]
    assert race.absent["absent"] == "absent is not installed"
    assert "it did not start" in race.absent["broken"]
    assert len(said) == 3
    for load in CALLS:
        (run,) = race.runs[BARE_PEER.name, load.name]
        assert run is not None
        assert (run.result.wrong, run.result.errors) == (0, 0)


@linux
def test_without_a_base_there_is_no_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "PEERS", (BARE_PEER._replace(start=broken),))
    monkeypatch.setattr(rounds, "BARE_PEER", rounds.PEERS[0])
    with pytest.raises(StartError, match="nothing to compare with"):
        run_race(TINY, lambda text: None)


def test_a_missing_program_is_told_with_the_package_that_has_it() -> None:
    missing = needs_program("no-such-program-here", "its-package")()
    assert "no-such-program-here" in missing
    assert "apt-get install its-package" in missing


@linux
def test_a_family_is_a_process_and_what_it_started() -> None:
    code = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); "
        "sys.stdin.read(); child.kill(); child.wait()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        child = int(process.stdout.readline())
        proxy = Proxy(process.pid, 0)
        alone = Proxy(child, 0)
        assert proxy.family() == [process.pid, child]
        assert proxy.memory() > alone.memory() > 0
        process.stdin.close()


def run(done: int, seconds: float = 1.0, cpu: float = 1.0, **counts: int) -> Run:
    result = Result(done, seconds=seconds, median_ms=2.0, p99_ms=4.0, opened=16, **counts)
    return Run(result, cpu, 1_000_000, 50_000_000)


def race(product: list[Run | None], bare: list[Run | None], direct: int = 10_000) -> Race:
    runs: dict[tuple[str, str], list[Run | None]] = {}
    for load in CALLS:
        runs[PRODUCT_PEER.name, load.name] = product
        runs[BARE_PEER.name, load.name] = bare
        runs[DIRECT, load.name] = [run(direct) for _ in bare]
    return Race(TINY, [BARE_PEER, PRODUCT_PEER], runs, {"squid": "no squid"}, ["squid: trouble"], 61.0)


def test_a_ratio_is_within_one_round_and_skips_rounds_that_failed() -> None:
    found = ratio(
        race([run(300), None, run(800)], [run(100), run(100), run(200)]), "product", "bare", "keep", rate
    )
    assert found == [3.0, 4.0]
    assert cell(found) == "3.50 [3.00-4.00]"
    assert cell([]) == "failed"


@pytest.mark.parametrize(
    ("cpu", "done", "held_back"),
    [(0.5, 5_000, True), (0.95, 5_000, False), (0.5, 500, False)],
    ids=["idle and near the generator's most", "busy", "idle, but far from it: the machine's fault"],
)
def test_at_least_is_said_where_the_load_generator_was_the_limit(
    cpu: float, done: int, held_back: bool
) -> None:
    found = race([run(done, cpu=cpu)], [run(100)])
    keep = next(load for load in CALLS if load.name == "keep")
    assert is_held_back(found, "product", keep) is held_back
    one = next(load for load in CALLS if load.name == "one")
    assert not is_held_back(found, "product", one)


def test_the_section_tells_machine_command_faults_and_who_is_missing() -> None:
    text = render(race([run(300, wrong=7, errors=2)], [run(100)]), "scripts/bench --peers", 0.5)
    assert "`scripts/bench --peers`" in text
    assert "load average 0.5 before" in text
    assert "| **product** | 1,500 | 35 | 10 |" in text
    assert "squid: **not measured**: no squid" in text
    assert "squid: trouble" in text
    assert "3.00" in text


def test_a_section_replaces_the_one_before_and_prose_stays(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text(f"# Prose\n\n{BEGIN}\n\nold\n\n{END}\n\nmore prose\n")
    write_section(file, "first\n")
    write_section(file, "second\n")
    assert file.read_text() == f"# Prose\n\n{BEGIN}\n\nsecond\n\n{END}\n\nmore prose\n"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "text",
    ["", BEGIN, f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"],
    ids=["no marker", "one marker", "in the wrong order", "twice"],
)
def test_a_document_without_its_markers_is_refused_before_anything_is_measured(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "performance.md"
    file.write_text(text)
    with pytest.raises(DocumentError, match="needs these two lines"):
        check_document(file)
    result = CliRunner().invoke(main, ["--peers", "--quick", "--document", str(file)])
    assert result.exit_code == 2
    assert "needs these two lines" in result.output
    assert file.read_text() == text


def test_the_document_of_the_project_has_its_markers() -> None:
    check_document(Path(__file__).resolve().parents[2] / "docs" / "performance.md")


@pytest.mark.parametrize(
    "flags",
    [
        ["--peer", "squid"],
        ["--peers", "--only", "hooks"],
        ["--peers", "--strict"],
        ["--peers", "--peer", "x"],
    ],
)
def test_flags_that_make_no_sense_together(flags: list[str]) -> None:
    assert CliRunner().invoke(main, flags).exit_code == 2


@linux
def test_a_short_race_is_written_by_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "performance.md"
    file.write_text(f"{BEGIN}\n{END}\n")
    code = (
        "import sys; from lab.bench.peers import command, rounds; "
        "command.QUICK = rounds.Scale(1, 0.2, 1, 100_000, 60); "
        "from lab.bench.__main__ import main; main(sys.argv[1:])"
    )
    flags = ["--peers", "--quick", "--peer", "product", "--document", str(file)]
    done = subprocess.run(
        [sys.executable, "-c", code, *flags],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=environment() | {"HOME": os.environ.get("HOME", "/")},
    )
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert "`scripts/bench --peers --quick --peer product`" in text
    assert "| **product** |" in text
    assert "peers: 1 of 6" in done.stderr
