"""One soak from start to end."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from brickscope.audit.key import SigningKey
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.audit.writer import SIGNING_KEY

from .fault import FAULTS, PAUSE_S, Fault, window
from .ledger import Judgement, Ledger, Window
from .load import Load
from .stage import Stage, open_stage
from .watch import Flatness, Watch

SETTLE_S = 15.0


class Scale(NamedTuple):
    """How much. ``calls``: the soak ends when so many have been made, but not before ``steady_s`` seconds after the last
    fault. ``idle``: connections that say nothing. ``pause_s``: between two calls on a connection."""

    calls: int
    idle: int
    steady_s: float
    workers: int = 2
    pause_s: float = 0.0


FULL = Scale(180_000, 1_000, 120)
"""180,000 calls: what an hour has at 50 a second."""
QUICK = Scale(2_000, 60, 6, pause_s=0.3)


class Check(NamedTuple):
    """One thing that must hold. ``details``: what is wrong, one sentence each."""

    name: str
    holds: bool
    details: list[str]


class Result(NamedTuple):
    """All that a soak found out."""

    scale: Scale
    seconds: float
    judgement: Judgement
    windows: list[Window]
    started: float
    flat: list[Flatness]
    idle: int
    dropped: int
    files_before: int
    files_after: int
    not_run: list[str]
    checks: list[Check]
    records: int

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


def run(folder: Path, scale: Scale, say: Callable[[str], None]) -> Result:
    """Run a soak in a folder. Raises StartError if the proxy does not come up, or not come back."""
    with open_stage(folder, scale.workers) as stage:
        return asyncio.run(_run(stage, scale, say))


async def _run(stage: Stage, scale: Scale, say: Callable[[str], None]) -> Result:
    trust = ssl.create_default_context(cafile=str(stage.confdir / "mitmproxy-ca-cert.pem"))
    trust.set_alpn_protocols(["http/1.1"])
    ledger = Ledger()
    load = Load(stage.port, trust, ledger, scale.idle, scale.pause_s)
    watch = Watch(stage.workers)
    files_before = max(sample.files for sample in watch.look())
    started = time.monotonic()
    watching = asyncio.create_task(watch.run())
    loading = asyncio.create_task(load.run())
    not_run: list[str] = []

    async def wait(seconds: float, what: str) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if loading.done():
                await loading  # raises what ended it
            say(f"{what}: {len(ledger.entries):,} of {scale.calls:,} calls")
            await asyncio.sleep(0.5)

    try:
        await wait(PAUSE_S, "warming up")
        for fault in FAULTS:
            if fault.run.__name__ == "jump_clock" and not stage.faketime:
                not_run.append(f"{fault.name}: libfaketime is not installed (Debian: faketime)")
                continue
            await _break(stage, ledger, fault, wait)
        steady = time.monotonic()
        while len(ledger.entries) < scale.calls or time.monotonic() < steady + scale.steady_s:
            await wait(1, "steady")
        steady_end = time.monotonic()
        idle = load.open_idle
        say("letting the clients go")
        load.end()
        await asyncio.wait_for(loading, 60)
        await asyncio.sleep(SETTLE_S)
        files_after = max(sample.files for sample in watch.look())
    finally:
        for task in (watching, loading):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
    status = await asyncio.to_thread(stage.stop_proxy)
    say("holding every call against what reached the workspace and what the logs say")
    logs = stage.log_files()
    judgement = ledger.judge(stage.ledger_file, logs)
    flat = watch.flatness(steady, steady_end)
    records, damage = _verify(stage, logs)
    checks = _checks(judgement, flat, damage, files_before, files_after, status, stage)
    return Result(
        scale,
        steady_end - started,
        judgement,
        ledger.windows,
        started,
        flat,
        idle,
        load.dropped,
        files_before,
        files_after,
        not_run,
        checks,
        records,
    )


async def _break(
    stage: Stage, ledger: Ledger, fault: Fault, wait: Callable[[float, str], Awaitable[None]]
) -> None:
    await wait(0.5, fault.name)
    async with window(ledger, fault):
        await fault.run(stage)
    stage.settle_policy()
    await wait(PAUSE_S, f"after: {fault.name}")


def _verify(stage: Stage, logs: list[Path]) -> tuple[int, list[str]]:
    """Records in the logs, and what ``brickscope audit verify`` finds wrong with them."""
    public = SigningKey.load_or_make(stage.confdir / SIGNING_KEY).public
    found = verify_logs(logs, lambda active: Verifier(public, None))
    damage = [f"{finding}" for each in found for finding in each.findings]
    damage += [
        f"{', '.join(each.files)}: not intact" for each in found if not each.intact and not each.findings
    ]
    return sum(each.records for each in found), damage


def _checks(
    judgement: Judgement,
    flat: list[Flatness],
    damage: list[str],
    files_before: int,
    files_after: int,
    status: int,
    stage: Stage,
) -> list[Check]:
    memory = [
        f"process {each.pid}: {each.memory[0]:.0f} MB, then {each.memory[1]:.0f} MB"
        for each in flat
        if not each.memory_is_flat
    ]
    files = [
        f"process {each.pid}: {each.files[0]:.0f}, then {each.files[1]:.0f}"
        for each in flat
        if not each.files_are_flat
    ]
    left = (
        []
        if files_after <= files_before + 25
        else [f"{files_after} after all clients had gone, {files_before} before they came"]
    )
    traces = [line for line in stage.output.splitlines() if "Traceback" in line or "engine failed" in line]
    return [
        Check("no wrong decision", not judgement.wrong, judgement.wrong),
        Check("no lost record", not judgement.lost, judgement.lost),
        Check("the logs verify", not damage, damage),
        Check(
            "memory is flat", bool(flat) and not memory, memory or ([] if flat else ["nothing was measured"])
        ),
        Check("file descriptors are flat", not files and not left, files + left),
        Check("the engine failed on no connection", not traces, traces),
        Check("a graceful stop with status 0", status == 0, [] if status == 0 else [f"exit status {status}"]),
    ]
