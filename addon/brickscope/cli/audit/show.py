"""``brickscope audit show``: the whole story of one call."""

import click

from brickscope.analysis.logged_remedy import logged_remedy
from brickscope.analysis.table import shown
from brickscope.audit.plain import plain
from brickscope.audit.story import find_story
from brickscope.cli.command import command
from brickscope.cli.output import Answer, answers, progress, say
from brickscope.cli.selection import Selection, log_options, open_log
from brickscope.count import counted

from .denials import remedy_data


@command("show")
@click.argument("decision_id")
@log_options
@answers
def show_command(decision_id: str, selection: Selection) -> Answer:
    """Show everything about one call: DECISION_ID is in the client's 403 (request_id, decision_id, x-request-id).

    The decision, the outcome, policy changes around it, the subject's calls before and after, and
    what would allow it.

    \b
    Exit status: 0 found, 1 the log does not have it, 2 the log can't be read.

    \b
    Examples:
      brickscope audit show 3f9a2b1c-42
      brickscope audit show 3f9a2b1c-42 /var/log/brickscope --json
    """
    with open_log(selection) as log, progress("reading the log") as told:
        story = find_story(log, decision_id, told)
    if story is None:
        say(f"no decision {shown(decision_id)} in {counted(len(log.sources), 'file')} of the log")
        raise SystemExit(1)
    denied = story.decision.get("decision") == "deny"
    remedy = logged_remedy(story.decision) if denied else None
    said = None if remedy is None else remedy_data(remedy)
    return Answer(plain(story._asdict() | {"remedy": said}), "show")
