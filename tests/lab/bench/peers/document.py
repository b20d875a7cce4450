"""``docs/performance.md``: the section between two markers is remade by ``scripts/bench --peers``; the rest is prose."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..endtoend import MIB, Run
from ..machine import describe_machine, describe_versions
from ..measurement import Spread
from ..report import number
from .peer import Peer
from .roster import BARE_PEER, NAIVE_PEER, PRODUCT_PEER, TWIN_PEER
from .rounds import BODIES, CALLS, DIRECT, Load, Race
from .table import MB, cell, faults, is_held_back, paired, rate, ratio, values

BEGIN = "<!-- peers: made by scripts/bench --peers; what stands here is overwritten -->"
END = "<!-- peers: end -->"


class DocumentError(Exception):
    """The document can't take the section; the message says what to do."""


def check_document(file: Path) -> None:
    """See that a document can take the section, before half an hour is spent on it. Raises DocumentError."""
    _split(file)
    if not os.access(file, os.W_OK):
        raise DocumentError(f"{file} can't be written; choose another file with --document")


def write_section(file: Path, section: str) -> None:
    """Put a section between the markers; what stands around them stays. Raises DocumentError."""
    before, after = _split(file)
    fresh = file.with_name(f".{file.name}.new")
    try:
        fresh.write_text(f"{before}{BEGIN}\n\n{section.strip()}\n\n{END}{after}")
        fresh.replace(file)
    except OSError as error:
        raise DocumentError(f"{file} can't be written: {error.strerror}") from None


def _split(file: Path) -> tuple[str, str]:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{file} can't be read: {error}") from None
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise DocumentError(
            f"{file} needs these two lines, once each and in this order, where the section is to stand:\n{BEGIN}\n{END}"
        )
    before, _, rest = text.partition(BEGIN)
    return before, rest.partition(END)[2]


def render(race: Race, command: str, load_before: float) -> str:
    """The section as Markdown. ``command``: what remakes it; ``load_before``: the machine's load average at the start."""
    blocks = [
        "\n".join(_head(race, command, load_before)),
        _rates(race),
        _costs(race),
        _delays(race),
        _bodies(race),
        _correctness(race),
        "\n".join(_peers(race)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _head(race: Race, command: str, load_before: float) -> Iterator[str]:
    machine, scale = describe_machine(), race.scale
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    versions = ", ".join(f"{name} {text}" for name, text in describe_versions().items())
    yield (
        f"Measured {moment} by `{command}` in {race.seconds / 60:.0f} minutes: {machine['cpu']}, "
        f"{machine['cores_usable']} cores, {machine['memory']}, {machine['system']}; load average {load_before:.1f} "
        f"before and {machine['load_average']:.1f} after (two of these are the bench itself). {versions}."
    )
    yield ""
    yield (
        f"{scale.rounds} rounds of {scale.seconds:g} s a load, {scale.transfers} of transfers; each peer in "
        "a fresh process, in the order A B C and then C B A; proxies on one core, client and upstream on "
        "the other, TLS on both sides, loopback. Ten tokens with 33 rules each; every answer is held "
        "against the policy. Ratios are within one round: median [lowest-highest]. **The twin is a second "
        "bare mitmdump: a difference smaller than its range is noise.** `≥`: the load generator (Python, on"
        " one core with the upstream) held the peer back: it carried more than a tenth of what the "
        "generator can send at all, with a quarter of its own core to spare. Its true rate is higher, and "
        "the CPU a call is the figure to compare."
    )


def _rows(race: Race) -> list[str]:
    return [peer.name for peer in race.peers]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _rates(race: Race) -> str:
    base = BARE_PEER.name

    def text(name: str, load: Load) -> str:
        found = values(race, name, load.name, rate)
        if name == base:
            return f"**1** ({cell(found, '/s')})"
        compared = ratio(race, name, base, load.name, rate)
        return f"{'≥ ' if is_held_back(race, name, load) else ''}{cell(compared)}"

    rows = [[_bold(name), *(text(name, load) for load in CALLS)] for name in [*_rows(race), DIRECT]]
    title = f"### Requests a second, as a multiple of {base}'s\n\n"
    return title + _table(["", *(load.title for load in CALLS)], rows)


def _costs(race: Race) -> str:
    def text(name: str, load: Load) -> str:
        return cell(values(race, name, load.name, lambda run: run.cpu_ms))

    rows = [[_bold(name), *(text(name, load) for load in CALLS)] for name in _rows(race)]
    return "### CPU milliseconds a call, of all processes of a peer\n\n" + _table(
        ["", *(load.title for load in CALLS)], rows
    )


def _delays(race: Race) -> str:
    def added(name: str, percentile: str) -> str:
        def value(run: Run) -> float:
            delay: float = getattr(run.result, percentile)
            return delay

        return cell(paired(race, name, DIRECT, "one", value, lambda one, other: one - other))

    def size(name: str, load: str, value: str) -> str:
        sizes = {"idle": lambda run: run.idle / MB, "peak": lambda run: (run.idle + run.growth) / MB}
        return cell(values(race, name, load, sizes[value]))

    rows = [
        [
            _bold(name),
            added(name, "median_ms"),
            added(name, "p99_ms"),
            size(name, "keep", "idle"),
            size(name, "keep", "peak"),
        ]
        for name in _rows(race)
    ]
    direct = ", ".join(
        f"{label} {cell(values(race, DIRECT, 'one', value), ' ms')}"
        for label, value in (
            ("p50", lambda run: run.result.median_ms),
            ("p99", lambda run: run.result.p99_ms),
        )
    )
    head = ["", "p50 added, ms", "p99 added, ms", "memory with 16 connections, MB", "its peak under load, MB"]
    return (
        f"### Latency that a peer adds on one connection (without a proxy: {direct}), and resident memory\n\n"
        + _table(head, rows)
    )


def _bodies(race: Race) -> str:
    if not race.scale.transfers:
        return ""
    base, size = BARE_PEER.name, race.scale.size

    def speed(name: str, load: str) -> str:
        if name == base:
            return f"**1** ({cell(values(race, name, load, lambda run: run.rate * size / MB), ' MB/s')})"
        return cell(ratio(race, name, base, load, rate))

    def cost(name: str, load: str) -> str:
        return cell(values(race, name, load, lambda run: run.cpu / size * 1e9))

    def peak(name: str, load: str) -> str:
        return cell(values(race, name, load, lambda run: (run.idle + run.growth) / MB))

    rows = [
        [_bold(name), *(value(name, load.name) for value in (speed, cost, peak) for load in BODIES)]
        for name in _rows(race)
    ]
    rows.append([DIRECT, *(speed(DIRECT, load.name) for load in BODIES), *["-"] * 4])
    head = [
        "",
        *(f"{load.title}{what}" for what in (", speed", ", CPU s/GB", ", peak MB") for load in BODIES),
    ]
    title = f"### One body of {size // MIB} MiB (a peer has {race.scale.patience:g} s for it)\n\n"
    return title + _table(head, rows)


def _correctness(race: Race) -> str:
    load = next(load for load in CALLS if load.name == "denied")

    def lost(peer: Peer) -> str:
        if peer.denied_status == 200:
            return "denies nothing"
        runs = [run for run in race.runs.get((peer.name, "denied"), ()) if run]
        extra = sum(run.result.opened - load.connections for run in runs)
        return "yes" if extra > len(runs) * load.connections else "no"

    rows = [
        [_bold(peer.name), *(f"{count:,}" for count in faults(race, peer.name)), lost(peer)]
        for peer in race.peers
    ]
    return "### Answers held against the policy\n\n" + _table(
        ["", "answers", "wrong", "errors", "closes the connection on a 403"], rows
    )


def _peers(race: Race) -> Iterator[str]:
    yield "### What was measured"
    yield ""
    for peer in race.peers:
        yield f"* {peer.name}: {peer.about} ({peer.version()})"
    for name, reason in race.absent.items():
        yield f"* {name}: **not measured**: {reason}"
    if race.troubles:
        yield ""
        yield f"Failed on the way ({len(race.troubles)}; shown: at most 10):"
        yield ""
        yield from (f"* {trouble}" for trouble in race.troubles[:10])


def _bold(name: str) -> str:
    return f"**{name}**" if name == PRODUCT_PEER.name else name


def summary(race: Race) -> str:
    """The finding in a few lines, for the terminal."""
    lines = []
    for name in (PRODUCT_PEER.name, NAIVE_PEER.name, TWIN_PEER.name):
        found = ratio(race, name, BARE_PEER.name, "keep", lambda run: run.cpu_ms)
        if found:
            lines.append(
                f"CPU a call, keep-alive, {name} to {BARE_PEER.name}: {number(Spread.of(found).value)}"
            )
    lines += [f"{name} was not measured: {reason}" for name, reason in race.absent.items()]
    return "\n".join(lines)
