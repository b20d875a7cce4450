"""The log bench: what each way of keeping the log costs a call, how fast it is verified and judged again, and how fast it is
summed up beside what DuckDB itself needs to read it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from brickscope.analysis.replay.run import Replay
from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog
from brickscope.audit.verify import Verifier
from brickscope.cli.audit.summary import summarise
from brickscope.core.policy import Policy
from brickscope.log.writer import Keeping

from .hooks import open_gate, rule_pass
from .measurement import Bound, Measurement, Say, Spread, best, ratios
from .workload import calls, rule_texts, token

BENCH = "log"
VERIFY_MEGABYTES = Bound(200, at_least=True)
SUMMARY = Bound(1.2)
REPLAY = Bound(100_000, at_least=True)
TOKENS, RULES = 10, 30
# What `summary` groups by and counts, read by DuckDB alone: the least that any answer costs.
READ = (
    "SELECT count(*), min(time), max(time), count(DISTINCT subject), count(DISTINCT operation), count(DISTINCT reason), "
    "count(DISTINCT client_address), count(DISTINCT rule_set), sum(status), sum(request_bytes), sum(response_bytes), "
    "sum(duration_ms) FROM audit_records"
)


def measure(*, quick: bool, say: Say) -> list[Measurement]:
    """All rows of this bench."""
    passes, amount = (5, 1000) if quick else (9, 3000)
    tokens = [token(index) for index in range(TOKENS)]
    texts = [rule_texts(RULES, first=index * RULES) for index in range(TOKENS)]
    allowed = calls(tokens, texts, amount, 0)
    times: dict[str, list[float]] = {fsync: [] for fsync in ("never", "interval", "always")}
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="brickscope-bench-") as name:
        folder = Path(name)
        for number in range(passes):
            for fsync, each in times.items():
                say(f"log: fsync {fsync}, pass {number + 1} of {passes}")
                place = folder / fsync / str(number)
                place.mkdir(parents=True)
                with open_gate(place, tokens, texts, Keeping(fsync)) as gate:
                    mix = allowed[: amount // 10] if fsync == "always" else allowed
                    each.append(rule_pass(gate, mix))
        found.append(Measurement(BENCH, "allowed call, fsync never", "µs", best(times["never"])))
        found += [
            Measurement(
                BENCH, f"allowed call, fsync {fsync} to never", "x", ratios(times[fsync], times["never"])
            )
            for fsync in ("interval", "always")
        ]
        say("log: writing what is to be read")
        place = folder / "read"
        place.mkdir()
        with open_gate(place, tokens, texts) as gate:
            for _ in range(20 if quick else 100):
                rule_pass(gate, allowed)
            policy = gate.policy
        found += _read(place / "audit.jsonl", 3 if quick else 5, say)
        found.append(_replay(place / "audit.jsonl", policy, 3 if quick else 5, say))
    return found


def _read(path: Path, rounds: int, say: Say) -> list[Measurement]:
    megabytes = path.stat().st_size / 1e6
    size = f"{megabytes:,.0f} MB"
    speeds, sums, reads = [], [], []
    for number in range(rounds):
        say(f"log: reading {size}, round {number + 1} of {rounds}")
        speeds.append(megabytes / _processor_seconds(lambda: Verifier().check(path)))
        with AuditLog([path], Period()) as log:
            reads.append(_seconds(lambda log=log: log.connection.execute(READ).fetchall()))  # type: ignore[misc]
        with AuditLog([path], Period()) as log:
            sums.append(_seconds(lambda log=log: summarise(log)))  # type: ignore[misc]
    return [
        Measurement(
            BENCH,
            f"verify, MB a second of one core ({size})",
            "MB/s",
            Spread(max(speeds), min(speeds), max(speeds)),
            VERIFY_MEGABYTES,
        ),
        Measurement(BENCH, f"summary to DuckDB's own reading ({size})", "x", ratios(sums, reads), SUMMARY),
    ]


def _replay(path: Path, policy: Policy, rounds: int, say: Say) -> Measurement:
    """Records a second of one core, the log's outcomes among them."""
    speeds = []
    for number in range(rounds):
        say(f"log: replay, round {number + 1} of {rounds}")
        records = sum(1 for _ in path.open("rb"))
        speeds.append(records / _processor_seconds(lambda: Replay(policy).run([path])))
    return Measurement(
        BENCH,
        "replay, records a second of one core",
        "/s",
        Spread(max(speeds), min(speeds), max(speeds)),
        REPLAY,
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _processor_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
