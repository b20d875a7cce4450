"""Which closed files are to be kept no longer. What is deleted can't be had back, so a clock that was set deletes nothing.

Files count as old by when they were closed, by the file system. Their order is the chain's. So a file whose time can't be
true, since one before it in the chain has a later time, or it is in the future, is as old as the one beside it.
"""

from pathlib import Path

from brickscope import notice

from .closed import Retention, series
from .extent import Extent, in_order, look

DAY_S = 24 * 60 * 60
JUMP_S = 60 * 60
"""So much may the clock differ from the time that has passed, before it is not believed."""
PAUSE_S = DAY_S
"""For so long nothing is deleted for its age then: time for somebody to set it right."""


class Expiry:
    """Tells which files of one log are to be deleted."""

    def __init__(self, active: Path, retention: Retention, written: float | None = None) -> None:
        """``written``: when the log was written last before this run, in seconds since the epoch, if known."""
        self._active = active
        self._retention = retention
        self._written = written
        self._looked: dict[Path, Extent] = {}
        self._clock: tuple[float, float] | None = None
        self._not_before = 0.0

    def outdated(self, now: float, passed: float) -> list[Path]:
        """The closed files that are not to be kept any longer, the oldest first.

        ``now``: by the clock, seconds since the epoch. ``passed``: by one that nobody sets (``time.monotonic``).
        """
        names = series(self._active)
        self._looked = {path: self._looked.get(path) or look(path) for path in names}
        files = [each.path for each in in_order(self._looked.values())]
        over = files[: -self._retention.files] if self._retention.files else []
        if not self._retention.days:
            return over
        times = [path.stat().st_mtime for path in files]
        self._watch(now, passed, max(filter(lambda each: each <= now, times), default=None))
        if passed < self._not_before:
            return over
        oldest = now - self._retention.days * DAY_S
        closed = zip(files, _believed(times, now), strict=True)
        old = {path for path, when in closed if when < oldest}
        return [path for path in files if path in over or path in old]

    def _watch(self, now: float, passed: float, closed: float | None) -> None:
        """See whether the clock was set: while this ran, or since the log was written last."""
        if self._clock is None:
            known = [each for each in (self._written, closed) if each is not None]
            jump = now - max(known, default=now)
            is_jump = jump > DAY_S
        else:
            jump = (now - self._clock[0]) - (passed - self._clock[1])
            is_jump = abs(jump) > JUMP_S
        self._clock = now, passed
        if is_jump:
            self._not_before = passed + PAUSE_S
            way, hours = "forward" if jump > 0 else "back", abs(jump) / 3600
            text = (
                f"the clock went {way} by {hours:.1f} hours, or the log was not written for as long; so for 24 hours no "
                "closed file of the audit log is deleted for its age. Check the clock"
            )
            notice.warning("audit_upkeep", text)


def _believed(times: list[float], now: float) -> list[float]:
    """When files were closed, as far as their order lets one believe it; never earlier than it can have been."""
    found: list[float] = []
    for when in times:
        found.append(max(when, found[-1]) if found and found[-1] <= now else when)
    later = now
    for index in range(len(found) - 1, -1, -1):
        if found[index] > now:
            found[index] = later
        later = found[index]
    return found
