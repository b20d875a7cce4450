"""``brickscope audit show``: the whole story of one call."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from .denials import print_remedy
from .output import Output
from .selection import Selection, log_options, open_log, report_faults
from .terminal import SENT, console, progress, shown, styled

if TYPE_CHECKING:
    from brickscope.analysis.remedy import Remedy
    from brickscope.audit.story import Record, Story

# Fields of the decision that are told in the first lines already.
_TOLD = ("decision", "enforced", "reason", "detail", "decision_id", "prev_hash", "hash", "schema", "event")
_OUTCOME = ("status", "request_bytes", "response_bytes", "duration_ms", "error", "time")


@click.command("show")
@click.argument("decision_id")
@log_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show_command(decision_id: str, selection: Selection, as_json: bool) -> None:
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
        from brickscope.audit.story import find_story
        from brickscope.audit.table import to_json

        with progress("reading the log") as told:
            story = find_story(log, decision_id, told)
        if story is None:
            click.echo(f"no decision {shown(decision_id)} in {len(log.sources):,} files of the log", err=True)
        elif as_json:
            remedy = _remedy(story)
            said = remedy and {"place": remedy.place, "yaml": remedy.yaml, "note": remedy.note}
            click.echo(to_json(story._asdict() | {"remedy": said}))
        else:
            _print(story)
        report_faults(log)
    if story is None:
        raise SystemExit(1)


def _print(story: Story) -> None:
    out = console()
    decision = story.decision
    verdict, style = verdict_of(decision)
    out.print(
        styled(f"{shown(decision['decision_id'])}  ", "bold"),
        styled(verdict, f"bold {style}"),
        styled(f": {shown(decision.get('reason'))}"),
        sep="",
    )
    out.print(styled(shown(decision.get("detail"))))
    out.print()
    for name, value in decision.items():
        if name not in _TOLD:
            text = _readings(value) if name == "readings" else _text(value)
            out.print(styled(f"{name.replace('_', ' '):16}", "dim"), styled(text), sep="")
    if story.others:
        out.print(
            styled(f"{story.others} more records have this id: the log was put together or altered", "red")
        )
    _print_outcome(story)
    _title("Policy")
    for each in story.before:
        out.print(styled(f"  before  {_policy_event(each)}"))
    for each in story.after:
        out.print(styled(f"  after   {_policy_event(each)}"))
    _title("The same subject" if decision.get("subject") else "The same caller")
    for word, call in (("before", story.previous), ("after", story.next)):
        out.print(styled(f"  {word:6}  {_call(call)}"))
    remedy = _remedy(story)
    if remedy is not None:
        _title("What would allow it")
        print_remedy(remedy, "  ", "in the policy, under")


def _remedy(story: Story) -> Remedy | None:
    from brickscope.analysis.logged_remedy import logged_remedy

    return logged_remedy(story.decision) if story.decision.get("decision") == "deny" else None


def _title(text: str) -> None:
    out = console()
    out.print()
    out.print(styled(text, "bold"))


def _print_outcome(story: Story) -> None:
    out = console()
    _title("Outcome")
    if story.outcome is not None:
        for name in _OUTCOME:
            if name in story.outcome:
                out.print(
                    styled(f"  {name.replace('_', ' '):16}", "dim"),
                    styled(_text(story.outcome[name])),
                    sep="",
                )
    elif story.decision.get("decision") == "deny" and story.decision.get("enforced"):
        out.print(styled("  it was not sent"))
    elif story.decision["event"] == "tunnel":
        out.print(styled("  what passes through a tunnel is not read"))
    else:
        out.print(styled("  none in these files: it was under way, or its record is elsewhere"))


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
    from brickscope.audit.table import to_json

    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f} UTC"
    return shown(to_json(value) if isinstance(value, dict | list) else value)
