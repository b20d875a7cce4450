"""The report of a soak, as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from lab.bench.machine import describe_machine, describe_versions

from .ledger import RECOVERY_S, first_of
from .load import SLOW_HEADS
from .soak import Result
from .watch import Flatness


def as_markdown(result: Result, command: str) -> str:
    """The report. ``command``: what makes it again."""
    machine, versions = describe_machine(), describe_versions()
    judged = result.judgement
    rate = judged.calls / result.seconds
    lines = [
        "# Soak",
        "",
        "Load, while everything goes wrong that can; then each call is held against three witnesses: what the client got,",
        "what reached the workspace, and what the audit logs say. Made by:",
        "",
        "```console",
        f"$ {command}",
        "```",
        "",
        f"{_now()}; {machine['cpu']}, {machine['cores_usable']} cores, load average {machine['load_average']:.1f}; "
        + ", ".join(f"{name} {text}" for name, text in versions.items())
        + ".",
        "",
        "## What held",
        "",
        "| check | result |",
        "|---|---|",
        *(f"| {check.name} | {'yes' if check.holds else '**NO**'} |" for check in result.checks),
        "",
    ]
    for check in result.checks:
        if not check.holds:
            lines += [
                f"**{check.name}** does not hold:",
                "",
                *(f"* {text}" for text in first_of(check.details)),
                "",
            ]
    lines += [
        "## The load",
        "",
        "| | |",
        "|---|---|",
        f"| calls | {judged.calls:,} in {result.seconds:,.0f} s ({rate:,.0f} a second) |",
        f"| workers | {result.scale.workers} |",
        f"| answered | {judged.answered:,} |",
        f"| broken or answered 502 while something was broken on purpose | {judged.broken:,} |",
        f"| denied because the log could not be written | {judged.denied_without_log:,} |",
        f"| records in the logs | {result.records:,} |",
        f"| connections that stayed open and silent | {result.idle:,} |",
        f"| connections opened and dropped half way | {result.dropped:,} |",
        f"| slow heads (slowloris) at any time, one byte a second | {SLOW_HEADS} |",
        "",
        "| kind of call | calls |",
        "|---|---|",
        *(f"| {name} | {count:,} |" for name, count in judged.kinds.most_common()),
        "",
        "## What was broken on purpose",
        "",
        "| what | after s | for s |",
        "|---|---|---|",
        *(
            f"| {each.name} | {each.start - result.started:.0f} | {each.end - each.start:.1f} |"
            for each in result.windows
        ),
        "",
        *(f"Not run: {each}.\n" for each in result.not_run),
        f"Calls may break only while a process or the workspace is down, and {RECOVERY_S:.0f} seconds after. They may not",
        "at an edit of the policy, a full disk (they are denied), a jump of the clock, or a rolling restart.",
        "",
        "## Memory and file descriptors",
        "",
        "Medians of the first and the last third of the time after the last fault.",
        "",
        "| worker | memory, first | last | descriptors, first | last |",
        "|---|---|---|---|---|",
        *(_row(number, each) for number, each in enumerate(result.flat, 1)),
        "",
        f"Descriptors of the fullest worker before any client came: {result.files_before};"
        f" after all had gone: {result.files_after}.",
        "",
    ]
    return "\n".join(lines)


def _row(number: int, flat: Flatness) -> str:
    memory, files = flat.memory, flat.files
    return f"| {number} | {memory[0]:.0f} MB | {memory[1]:.0f} MB | {files[0]:.0f} | {files[1]:.0f} |"


def as_json(result: Result) -> str:
    """The same for programs."""
    judged = result.judgement
    value: dict[str, Any] = {
        "schema": 1,
        "time": _now(),
        "passed": result.passed,
        "machine": describe_machine(),
        "versions": describe_versions(),
        "scale": result.scale._asdict(),
        "seconds": round(result.seconds, 1),
        "calls": judged.calls,
        "answered": judged.answered,
        "broken": judged.broken,
        "denied_without_log": judged.denied_without_log,
        "kinds": dict(judged.kinds),
        "records": result.records,
        "checks": [each._asdict() for each in result.checks],
        "faults": [
            {"name": each.name, "after_s": each.start - result.started, "seconds": each.end - each.start}
            for each in result.windows
        ],
        "not_run": result.not_run,
        "processes": [each._asdict() for each in result.flat],
    }
    return json.dumps(value, indent=2)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
