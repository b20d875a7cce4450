"""The part of the log that is asked for: ``--since`` and ``--until``."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_AGO = re.compile(r"(\d{1,6})([smhdw])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Period(NamedTuple):
    """From ``since`` on, up to but without ``until``; None where it is open. Times are UTC, without a zone of their own."""

    since: datetime | None = None
    until: datetime | None = None


def read_moment(text: str, now: datetime) -> datetime:
    """A moment as people write it: ``7d`` (ago), ``2026-11-24`` (its first moment), ``2026-11-24T19:30:00Z``.

    Without a zone it is UTC. ``now`` has a zone. Gives UTC without one. Raises ValueError, worded for who wrote it.
    """
    ago = _AGO.match(text.strip())
    try:
        if ago is not None:
            moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: write 2026-11-24, 2026-11-24T19:30:00Z, or how long ago: 90m, 12h, 7d, 4w"
        ) from None
