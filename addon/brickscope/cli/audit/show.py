"""``brickscope audit show``: the whole story of one call."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from brickscope.analysis.logged_remedy import logged_remedy
from brickscope.analysis.remedy import Remedy
from brickscope.audit.plain import to_json
from brickscope.audit.story import Record, Story, find_story
from brickscope.cli.command import command
from brickscope.cli.output import Answer, Output, answers
from brickscope.cli.selection import Selection, log_options, open_log, report_faults
from brickscope.cli.terminal import SENT, line, progress, say, shown

from .denials import print_remedy, remedy_data

# Fields of the decision that are told in the first lines already.
_TOLD = ("decision", "enforced", "reason", "detail", "decision_id", "prev_hash", "hash", "schema", "event")
_OUTCOME = ("status", "request_bytes", "response_bytes", "duration_ms", "error", "time")


@command("show")
@click.argument("decision_id")
@log_options
@answers
def show_command(decision_id: str, selection: Selection) -> Answer:
    """Tell all about one call: DECISION_ID is in the client's 403 (request_id, decision_id, x-request-id).

    The decision, how the call ended, the changes of policy around it, the calls of the same subject before and after, and
    what would allow it.

    \b
    Exit status: 0 found, 1 the log does not have it, 2 the log can't be read.

    \b
    Examples:
      brickscope audit show 3f9a2b1c-42
      brickscope audit show 3f9a2b1c-42 /var/log/brickscope --json
    """
    with open_log(selection, Output()) as log:
        with progress("reading the log") as told:
            story = find_story(log, decision_id, told)
        report_faults(log)
        if story is None:
            say(f"no decision {shown(decision_id)} in {len(log.sources):,} files of the log")
            raise SystemExit(1)
    denied = story.decision.get("decision") == "deny"
    remedy = logged_remedy(story.decision) if denied else None
    said = None if remedy is None else remedy_data(remedy)
    return Answer(story._asdict() | {"remedy": said}, lambda: _print(story, remedy))


def _print(story: Story, remedy: Remedy | None) -> None:
    decision = story.decision
    verdict, style = verdict_of(decision)
    line(
        (f"{shown(decision['decision_id'])}  ", "bold"),
        (verdict, f"bold {style}"),
        f": {shown(decision.get('reason'))}",
    )
    line(shown(decision.get("detail")))
    line()
    for name, value in decision.items():
        if name not in _TOLD:
            _print_field("", name, _readings(value) if name == "readings" else _text(value))
    if story.others:
        line((f"{story.others} more records have this id: the log was put together or altered", "red"))
    _title("Outcome")
    if story.outcome is not None:
        for name in _OUTCOME:
            if name in story.outcome:
                _print_field("  ", name, _text(story.outcome[name]))
    else:
        line(f"  {_no_outcome(decision)}")
    _title("Policy")
    for word, events in (("before", story.before), ("after", story.after)):
        for each in events:
            line(f"  {word:6}  {_policy_event(each)}")
    _title("The same subject" if decision.get("subject") else "The same caller")
    for word, call in (("before", story.previous), ("after", story.next)):
        line(f"  {word:6}  {_call(call)}")
    if remedy is not None:
        _title("What would allow it")
        print_remedy(remedy, "  ", "in the policy, under")


def _title(text: str) -> None:
    line()
    line((text, "bold"))


def _print_field(indent: str, name: str, text: str) -> None:
    line((f"{indent}{name.replace('_', ' '):16}", "dim"), text)


def _no_outcome(decision: Record) -> str:
    if decision.get("decision") == "deny" and decision.get("enforced"):
        return "it was not sent"
    if decision["event"] == "tunnel":
        return "what passes through a tunnel is not read"
    return "none in these files: it was under way, or its record is elsewhere"


def verdict_of(record: dict[str, Any]) -> tuple[str, str]:
    """The decision in a word, and its style."""
    if record.get("decision") == "allow":
        return "allowed", "green"
    return (SENT, "yellow") if record.get("enforced") is False else ("denied", "red")


def _policy_event(record: Record) -> str:
    text = f"{shown(record['time'])}  {shown(record['event'])}"
    if record["event"] == "mode_change":
        scope, name, before, mode = (
            shown(record.get(key)) for key in ("scope", "name", "previous_mode", "mode")
        )
        text += f" {scope} {name}: {before} to {mode}"
    elif record["event"] == "reload" and not record.get("loaded"):
        text += " failed, the policy stayed: " + "; ".join(map(shown, (record.get("problems") or [])[:1]))
    else:
        text += f" revision {shown(record.get('policy_revision'))}"
    return text


def _call(record: Record | None) -> str:
    if record is None:
        return "none in these files"
    what = f"{shown(record.get('method'))} {shown(record.get('path'))}"
    return f"{shown(record['time'])}  {shown(record.get('decision_id'))}  {verdict_of(record)[0]}  {what}"


def _readings(value: list[str]) -> str:
    """The readings of a call in words, of which the first decided."""
    first, *others = map(shown, value)
    return "; ".join((f"{first} (which decided)", *others))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f} UTC"
    return shown(to_json(value) if isinstance(value, dict | list) else value)
