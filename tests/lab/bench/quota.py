"""A share of a core for a process, by the kernel: so two workers can be compared with one where there are no free cores.

Control groups of either version; they need root, and a machine (or container) that lets them be made.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .processes import StartError

PERIOD_US = 20_000
_V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
_WEIGHT_V1, _WEIGHT_V2 = 20_000, 2_000
"""Twenty times what other processes have, so that what else runs on the machine disturbs less."""


class NoQuota(StartError):
    """Shares of a core can't be given here."""


@contextmanager
def shares(limited: Sequence[int], others: Sequence[int], share: float) -> Iterator[None]:
    """Let each of ``limited`` (pids) have at most ``share`` of one core; ``others`` are only preferred. Raises NoQuota."""
    groups: list[Path] = []
    home = _home()
    try:
        try:
            for pid in limited:
                groups.append(_group(home, pid, share))
            for pid in others:
                groups.append(_group(home, pid, None))
        except OSError as error:
            raise NoQuota(f"control groups can't be made: {error.strerror}") from None
        yield
    finally:
        for group in groups:
            _remove(group)


def _home() -> Path:
    if (_V1 / "cpu.cfs_quota_us").exists() or (_V1 / "cpu.shares").exists():
        return _V1
    if (_V2 / "cgroup.controllers").exists() and "cpu" in (
        _V2 / "cgroup.subtree_control"
    ).read_text().split():
        return _V2
    raise NoQuota("there are no control groups for the processor here")


def _group(home: Path, pid: int, share: float | None) -> Path:
    group = home / f"brickscope-bench-{os.getpid()}-{pid}"
    group.mkdir()
    if home == _V1:
        (group / "cpu.shares").write_text(str(_WEIGHT_V1))
        if share is not None:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(int(share * PERIOD_US)))
    else:
        (group / "cpu.weight").write_text(str(_WEIGHT_V2))
        if share is not None:
            (group / "cpu.max").write_text(f"{int(share * PERIOD_US)} {PERIOD_US}")
    (group / "cgroup.procs").write_text(str(pid))
    return group


def _remove(group: Path) -> None:
    """Move the process back, if it still runs, and remove the group."""
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (group.parent / "cgroup.procs").write_text(pid)
    for _ in range(50):
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.02)
        else:
            return
