"""``brickscope explain``: why a call is allowed or denied, what a subject can do, who can do an operation."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from brickscope.analysis.call import Call
    from brickscope.analysis.judge import Known
    from brickscope.analysis.logged import Logged
    from brickscope.core.directory import Directory
    from brickscope.policy.load import Loaded


class _TakesCurl(click.Command):
    """A command whose arguments may be a pasted curl command, with options that are curl's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for at, word in enumerate(args):
            if word == "curl" and not (at and args[at - 1].startswith("--")):
                args = [*args[:at], "--", *args[at:]]
                break
        return super().parse_args(ctx, args)


@click.command("explain", cls=_TakesCurl)
@click.argument("call", nargs=-1)
@click.option(
    "--subject", help="Who calls: the name of a token, service principal, user or login of the policy."
)
@click.option("--operation", help="Say who can do this operation.")
@click.option(
    "--rules",
    type=click.Path(exists=True, path_type=Path),
    default=Path("rules"),
    show_default=True,
    help="The policy: a folder or a file.",
)
@click.option(
    "--client", help="The address the call comes from. Default: one from which the subject may act."
)
@click.option(
    "--time", "at", help="When, such as 2027-03-01T12:00:00Z. Default: now; for a logged call, its time."
)
@click.option("--host-workspace", help="The id of the one workspace that the host says it serves.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Audit logs (.jsonl, .zst, .gz) or folders of them, in which to find a decision id.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain_command(
    call: tuple[str, ...],
    subject: str | None,
    operation: str | None,
    rules: Path,
    client: str | None,
    at: str | None,
    host_workspace: str | None,
    logs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Say whether a CALL is allowed and by which rule, why not the nearest others, and what would allow it.

    CALL is METHOD URL, METHOD /path, an operation with its parameters, a curl command, '-' (read from standard input, so
    that a token in it is in no shell history), or the decision id of a 403 with --log. Without CALL: what the subject
    can do.

    \b
    Exit status: 0 allow (or nothing was asked but a list), 1 deny, 2 the command can't be carried out.

    \b
    Examples:
      brickscope explain --subject ci GET https://dbc-….cloud.databricks.com/api/2.0/sql/warehouses
      brickscope explain --subject ci jobs.run_now job_id=1012
      brickscope explain --subject ci curl -X POST https://dbc-…/api/2.2/jobs/run-now -d '{"job_id": 7}'
      brickscope explain --log audit.jsonl 397d7b97-3
      brickscope explain --subject ci
      brickscope explain --operation permissions.update
    """
    from brickscope.analysis.error import CallError

    try:
        loaded = _load(rules, at)
        if operation is not None:
            if call or subject is not None:
                raise click.UsageError("--operation stands alone: it asks about everybody")
            said, lines = _operation(loaded, operation, _now(at))
            allowed = True
        elif call:
            said, lines = _call(loaded, call, subject, client, at, host_workspace, logs)
            allowed = said["decision"] == "allow"
        elif subject is not None:
            said, lines = _subject(loaded, subject, _now(at))
            allowed = True
        else:
            raise click.UsageError("name a CALL, --subject or --operation")
    except CallError as error:
        raise click.UsageError(str(error)) from None
    click.echo(json.dumps(said) if as_json else "\n".join(lines))
    if not allowed:
        raise SystemExit(1)


Answer = tuple[dict[str, Any], list[str]]


def _load(rules: Path, at: str | None) -> Loaded:
    from brickscope.policy.load import load_policy
    from brickscope.policy.problem import PolicyError

    try:
        return load_policy(rules, _now(at))
    except PolicyError as error:
        raise click.UsageError(str(error)) from None


def _now(at: str | None) -> float:
    from brickscope.policy.model import moment

    if at is None:
        return time.time()
    try:
        return moment(at)
    except ValueError as error:
        raise click.UsageError(f"--time: {error}") from None


def _operation(loaded: Loaded, name: str, now: float) -> Answer:
    from brickscope.analysis.placement import find_operation
    from brickscope.analysis.portrait import access_data, access_lines
    from brickscope.analysis.summary import access

    found = find_operation(name)
    said = access(loaded, found, now)
    return access_data(found, said), access_lines(found, said)


def _subject(loaded: Loaded, name: str, now: float) -> Answer:
    from brickscope.analysis.judge import find
    from brickscope.analysis.portrait import summary_data, summary_lines
    from brickscope.analysis.summary import summarise

    said = summarise(loaded, find(loaded.policy, name), now)
    return summary_data(said), summary_lines(said)


def _call(
    loaded: Loaded,
    written: tuple[str, ...],
    subject: str | None,
    client: str | None,
    at: str | None,
    host_workspace: str | None,
    logs: tuple[Path, ...],
) -> Answer:
    from brickscope.analysis.call import read_call
    from brickscope.analysis.explanation import explain
    from brickscope.analysis.judge import Told, home
    from brickscope.analysis.logged import DECISION_ID, make_again
    from brickscope.analysis.wording import explanation_data, explanation_lines
    from brickscope.core.decision import Refused

    logged: Logged | None = None
    notes: tuple[str, ...] = ()
    now = _now(at)
    words = (sys.stdin.read(),) if written == ("-",) else written
    if len(words) == 1 and DECISION_ID.match(words[0]):
        record = _record(words[0], logs)
        if subject is None and not isinstance(record.get("subject"), str):
            raise click.UsageError(f"{_nobody(record)}; say with --subject whose call it shall be")
        who = _who(loaded, subject or record["subject"], None)
        logged = make_again(record, who, loaded.policy)
        call, client = logged.call, client or logged.client_address
        now = logged.now if at is None else now
        host_workspace = host_workspace or logged.record.get("host_workspace")
    else:
        if logs:
            raise click.UsageError("--log finds the call of a decision id, such as 397d7b97-3")
        # Once without a home, to see whose token stands in it; then for whoever that is.
        who = _who(loaded, subject, None if subject else read_call(words))
        call = read_call(words, home(who))
        if call.fingerprint is not None:
            other = loaded.policy.tokens.get(call.fingerprint)
            if other is None or other.name != who.name:
                notes = (f"the token in the call is not that of {who.name!r}; it was not looked at",)
    host = "" if isinstance(call.request, Refused) else call.request.host
    directory: Directory | None = None if host_workspace is None else Told({host: host_workspace})
    said = explain(loaded, who, call, now, client, directory, notes)
    return explanation_data(said, logged), explanation_lines(said, logged)


def _record(decision_id: str, logs: tuple[Path, ...]) -> dict[str, Any]:
    from brickscope.analysis.logged import find_record

    if not logs:
        raise click.UsageError(f"{decision_id} is a decision id: say in which log, with --log audit.jsonl")
    return find_record(logs, decision_id)


def _nobody(record: dict[str, Any]) -> str:
    """Why a record names no subject."""
    from brickscope.core.reason import Reason
    from brickscope.log.record import printable

    code = record.get("reason")
    sentence = next((reason.sentence for reason in Reason if reason.value == code), "")
    return f"the record names nobody: {printable(str(code))}. {sentence}".rstrip(". ")


def _who(loaded: Loaded, subject: str | None, call: Call | None) -> Known:
    """The subject by name, else by the token that was pasted with the call, else the only one there is."""
    from brickscope.analysis.judge import find, known

    if subject is not None:
        return find(loaded.policy, subject)
    everybody = known(loaded.policy)
    if call is not None and call.fingerprint is not None:
        owner = loaded.policy.tokens.get(call.fingerprint)
        if owner is None:
            raise click.UsageError(
                f"the policy names no token with the fingerprint {call.fingerprint}: the call is denied (unknown_token)"
            )
        return everybody[owner.name]
    if len(everybody) == 1:
        return next(iter(everybody.values()))
    raise click.UsageError(f"name who calls with --subject: one of {', '.join(sorted(everybody)[:10])}")
