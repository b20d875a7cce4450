"""Numbers, times and hostile text as the page shows them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from brickscope.core.visible import visible

MAX_SHOWN = 240
"""Longest text of the log, in characters, that a cell of the page takes."""
_STEPS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def shown(text: object, limit: int = MAX_SHOWN) -> str:
    """Text of the log fit to be seen: what is invisible or turns the direction of writing is spelled out (``\\u202e``), so
    that no name can look like another one; what is blank stands in quotes; what is too long is cut, and says so."""
    plain = visible(str(text))
    if not plain.strip():
        return f'"{plain}"'
    if len(plain) <= limit:
        return plain
    return f"{plain[:limit]}… ({number(len(plain) - limit)} more characters)"


def shown_lines(text: str) -> str:
    """Lines of text, each fit to be seen."""
    return "\n".join(map(shown, text.split("\n")))


def number(value: float) -> str:
    """``12,345``."""
    return f"{value:,.0f}"


def brief(value: float) -> str:
    """A number where there is little room: ``950``, ``1.2k``, ``35M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            scaled = value / size
            return f"{scaled:.1f}".removesuffix(".0") + unit if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{value:.0f}"


def counted(value: int, one: str, many: str = "") -> str:
    """``1 call``, ``2 calls``, ``no calls``."""
    return f"{number(value) if value else 'no'} {one if value == 1 else many or one + 's'}"


def share(part: float, whole: float) -> str:
    """``2.5 %``; what is little is not called nothing, and what is not all is not called all."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "< 0.1 %"
    if part < whole and percent > 99.9:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent < 99.95 else "100 %"


def moment(value: datetime | None) -> str:
    """``2026-11-24 19:30:05``, UTC; a dash for none."""
    return "–" if value is None else value.isoformat(" ", "seconds")


def day(value: datetime | None) -> str:
    """``2026-11-24``; a dash for none."""
    return "–" if value is None else value.date().isoformat()


def span(value: timedelta) -> str:
    """A length of time in its largest unit: ``3 days``, ``1 hour``, ``45 seconds``."""
    seconds = max(value.total_seconds(), 0.0)
    for size, unit in _STEPS:
        if seconds >= size:
            return counted(round(seconds / size), unit)
    return "less than a second"


def duration(milliseconds: float | None) -> str:
    """``4.2 ms``, ``1.35 s``, ``2.1 min``; a dash for none."""
    if milliseconds is None:
        return "–"
    if milliseconds < 999.5:
        return f"{milliseconds:.3g} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds / 60:.3g} min"


def size(octets: float | None) -> str:
    """``35 bytes``, ``1.2 MB``; a dash for none."""
    if octets is None:
        return "–"
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= limit:
            return f"{octets / limit:.3g} {unit}"
    return counted(int(octets), "byte")


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def names(found: Iterable[object], most: int = 4, clip: int = 60) -> str:
    """Some names of the log, each once, and how many more there are."""
    each = list(dict.fromkeys(found))
    some = [shown(name, clip) for name in each[:most]]
    return listed(some if len(each) <= most else [*some, f"{number(len(each) - most)} more"])


def spark_path(series: list[int], height: int = 20) -> str:
    """Numbers as a row of bars of width 1, as one path."""
    top = max(series, default=0)
    if not top:
        return ""
    # Rounded up: whoever called at all is to be seen.
    bars = (f"V{height - -(-value * (height - 1) // top)}h1" for value in series)
    return "".join([f"M0 {height}", *bars, f"V{height}z"])
