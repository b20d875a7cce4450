"""The page: one HTML file with its style and script inside, which loads nothing and runs nothing but its own script.

Whatever stands in the log is hostile. It gets onto the page in one way only: as text, escaped by the template engine, and
with its invisible characters spelled out (``text.shown``). Should something slip through all the same, the page's own
Content-Security-Policy lets no script run but the one whose hash it names, and lets nothing be loaded or sent.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import brickscope
from brickscope.catalog.catalog import CLASSES
from brickscope.trial.shown import place

from . import text
from .attention import find_points
from .charts import NARROW, WIDE, calls_chart, latency_chart
from .data import Report
from .denials import KINDS, describe_params
from .limits import LIMITS
from .rows import Rows
from .shades import Shades, spark_path
from .summary import sentences

SECTIONS = (
    ("summary", "Summary"),
    ("time", "Over time"),
    ("subjects", "Who did what"),
    ("operations", "What was called"),
    ("denied", "What was denied"),
    ("permissions", "Who could do what"),
    ("outcomes", "How calls ended"),
    ("changes", "Policy changes"),
    ("presence", "Tokens"),
    ("clients", "Clients"),
    ("connections", "Connections"),
    ("integrity", "Integrity"),
    ("limits", "What it cannot show"),
    ("about", "About"),
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MARKS = {
    "gap": "gap in the log",
    "mode_change": "mode changed",
    "failed_reload": "policy edit refused",
    "reload": "policy changed",
    "start": "proxy started",
    "stop": "proxy stopped",
}


def render(report: Report) -> str:
    """The whole page."""
    from markupsafe import Markup

    timeline = report.timeline
    events = list(report.changes.events)
    sizes = (("wide", WIDE), ("narrow", NARROW))
    drawn = [(size, latency_chart(report.outcomes.latency, timeline.grid, canvas)) for size, canvas in sizes]
    kinds = {event.kind for event in events}
    rule_sets = report.permissions.rule_sets if report.permissions else ()
    css, js = _asset("page.css"), _asset("page.js")
    return str(
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            version=brickscope.__version__,
            # Ours, and free of anything from the log; so they need not be escaped, nor could they be.
            css=Markup(css),  # noqa: S704
            js=Markup(js),  # noqa: S704
            policy=content_policy(css, js),
            sections=SECTIONS,
            titles=dict(SECTIONS),
            summary=sentences(report),
            points=find_points(report),
            calls=[(size, calls_chart(timeline, events, canvas)) for size, canvas in sizes],
            latency=[(size, chart) for size, chart in drawn if chart is not None],
            mark_kinds=[(kind, label) for kind, label in _MARKS.items() if kind in kinds],
            days=_DAYS,
            week_shades=Shades(max((max(hours) for hours in timeline.week), default=0), even=True),
            heat_shades=Shades(report.heat.top),
            heat_rows=_with_others(report.heat.subjects, report.heat.other_subjects, "no subject"),
            heat_columns=_with_others(
                report.heat.operations, report.heat.other_operations, "not in the catalogue"
            ),
            top_reason=max((reason.calls for reason in report.reasons), default=1),
            top_ending=max((ending.calls for ending in report.outcomes.endings), default=1),
            kinds=KINDS,
            rule_set_ids={each.name: f"rule-set-{index}" for index, each in enumerate(rule_sets)},
            reach_columns=[(kind, "n") for kind in CLASSES],
            limits=LIMITS,
        )
    )


def content_policy(css: str, js: str) -> str:
    """The Content-Security-Policy: nothing but this style and this script."""
    return (
        f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(js)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}'"


def _with_others(names: Iterable[str | None], others: int, missing: str) -> list[str]:
    shown = [missing if name is None else text.shown(name, 60) for name in names]
    return [*shown, text.counted(others, "other")] if others else shown


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": text.shown,
        "lines": text.shown_lines,
        "params": describe_params,
        "place": place,
        "number": text.number,
        "brief": text.brief,
        "counted": text.counted,
        "moment": text.moment,
        "day": text.day,
        "duration": text.duration,
        "size": text.size,
        "spark": spark_path,
        "rows": lambda rows: Rows.of(rows, len(rows)),
    }
    return environment
