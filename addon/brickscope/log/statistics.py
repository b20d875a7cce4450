"""What the writer did, as plain numbers, for whoever watches it."""

import time


class Statistics:
    """Of one writer, since it was made. ``failed_at``: seconds since the epoch, None if nothing failed.

    ``gaps``: gap records by cause, those that are possible from the start on.
    """

    __slots__ = ("_syncing_since", "_unsynced_since", "bytes", "failed_at", "failures", "gaps", "records")

    def __init__(self) -> None:
        self.records = self.bytes = self.failures = 0
        self.failed_at: float | None = None
        self.gaps = dict.fromkeys(("torn_line", "lost_tail", "write_failed", "file_replaced", "retention"), 0)
        self._unsynced_since: float | None = None
        self._syncing_since: float | None = None

    def wrote(self, records: int, size: int) -> None:
        """Records were handed to the operating system."""
        self.records += records
        self.bytes += size
        if self._unsynced_since is None:
            self._unsynced_since = time.monotonic()

    def noted(self, cause: str) -> None:
        """A gap record was written."""
        self.gaps[cause] = self.gaps.get(cause, 0) + 1

    def failed(self) -> None:
        """A record could not be written, or not be brought to disk."""
        self.failures += 1
        self.failed_at = time.time()

    def sync_begins(self) -> None:
        """All that was written so far is being brought to disk."""
        if self._syncing_since is None:
            self._syncing_since = self._unsynced_since
        self._unsynced_since = None

    def sync_ends(self, success: bool) -> None:
        """It is there; or it is not, and goes on being at risk."""
        if not success:
            self.failed()
            self._unsynced_since = self._syncing_since or self._unsynced_since
        self._syncing_since = None

    def unsynced_s(self) -> float:
        """Seconds since the oldest record was written that a loss of power could take."""
        since = self._syncing_since or self._unsynced_since
        return 0.0 if since is None else time.monotonic() - since
