"""``brickscope explain``: why a call is allowed or denied, what a subject can do, who can do an operation."""

import ipaddress
import sys
import time
from pathlib import Path
from typing import Any

import click

from brickscope.analysis.call import Call, read_call
from brickscope.analysis.explanation import explain, explanation_data
from brickscope.analysis.judge import Known, Told, find, home, known
from brickscope.analysis.logged import DECISION_ID, Logged, find_record, make_again
from brickscope.analysis.placement import find_operation
from brickscope.analysis.summary import access_data, summary_data
from brickscope.core.decision import Refused
from brickscope.core.directory import Directory
from brickscope.core.jwt_token import LIVES_AN_HOUR
from brickscope.core.reason import Reason
from brickscope.log.record import printable
from brickscope.policy.load import Loaded

from .command import Command
from .options import Shaped, load_rules, rules_option, time_option
from .output import Answer, answers


class _TakesCurl(Command):
    """A command whose arguments may be a pasted curl command, with options that are curl's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for at, word in enumerate(args):
            if word == "curl" and not (at and args[at - 1].startswith("--")):
                args = [*args[:at], "--", *args[at:]]
                break
        return super().parse_args(ctx, args)


_WORKSPACE = Shaped("number", "[0-9]{1,20}", "the id of a workspace is a number, such as 1234567890123456")


def _address(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError:
        raise click.UsageError("--client: an address is one of IP, such as 10.0.8.7") from None


@click.command("explain", cls=_TakesCurl)
@click.argument("call", nargs=-1)
@click.option(
    "--subject", help="The caller: the name of a token, service principal, user or login of the policy."
)
@click.option("--operation", help="Say who can call this operation.")
@rules_option()
@click.option(
    "--client",
    callback=_address,
    help="The address the call comes from. Default: one from which the subject may act.",
)
@time_option("When, such as 2027-03-01T12:00:00Z. Default: now; for a logged call, its time.")
@click.option(
    "--host-workspace", type=_WORKSPACE, help="The id of the one workspace that the host says it serves."
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Audit logs (.jsonl, .zst, .gz) or folders of them, in which to find a decision id.",
)
@answers
def explain_command(
    call: tuple[str, ...],
    subject: str | None,
    operation: str | None,
    rules: Path,
    client: str | None,
    at: float | None,
    host_workspace: str | None,
    logs: tuple[Path, ...],
) -> Answer:
    """Say whether a CALL is allowed, by which rule, why the nearest other rules do not match, and what would allow it.

    CALL is METHOD URL, METHOD /path, an operation with its parameters, a curl command, '-' (read from standard input, so
    that a token in it is in no shell history), or the decision id of a 403 with --log. Without CALL: what the subject
    can do.

    \b
    Exit status: 0 allowed (or no CALL), 1 denied, 2 the command can't be carried out.

    \b
    Examples:
      brickscope explain --subject ci GET https://dbc-….cloud.databricks.com/api/2.0/sql/warehouses
      brickscope explain --subject ci jobs.run_now job_id=1012
      brickscope explain --subject ci curl -X POST https://dbc-…/api/2.2/jobs/run-now -d '{"job_id": 7}'
      brickscope explain --log audit.jsonl 397d7b97-3
      brickscope explain --subject ci
      brickscope explain --operation permissions.update
    """
    loaded = load_rules(rules, at)
    now = time.time() if at is None else at
    if operation is not None:
        if call or subject is not None:
            raise click.UsageError("--operation can't be combined with a call: it asks about all subjects")
        return Answer(access_data(loaded, find_operation(operation), now), "access")
    if not call:
        if subject is None:
            raise click.UsageError("name a CALL, --subject or --operation")
        return Answer(summary_data(loaded, find(loaded.policy, subject), now), "summary")
    logged: Logged | None = None
    notes: tuple[str, ...] = ()
    words = (sys.stdin.read(),) if call == ("-",) else call
    if len(words) == 1 and DECISION_ID.match(words[0]):
        if not logs:
            raise click.UsageError(f"{words[0]} is a decision id: say in which log, with --log audit.jsonl")
        record = find_record(logs, words[0])
        if subject is None and not isinstance(record.get("subject"), str):
            raise click.UsageError(f"{_nobody(record)}; say with --subject whose call it is")
        who = _who(loaded, subject or record["subject"], None)
        logged = make_again(record, who, loaded.policy)
        made, client = logged.call, client or logged.client_address
        now = logged.now if at is None else now
        host_workspace = host_workspace or logged.record.get("host_workspace")
    else:
        if logs:
            raise click.UsageError("--log finds the call of a decision id, such as 397d7b97-3")
        # Once without a home, to see whose token stands in it; then for whoever that is.
        who = _who(loaded, subject, None if subject else read_call(words))
        made = read_call(words, home(who))
        if made.fingerprint is not None:
            other = loaded.policy.tokens.get(made.fingerprint)
            if other is None or other.name != who.name:
                notes = (f"the token in the call is not that of {who.name!r}; it was ignored",)
    host = "" if isinstance(made.request, Refused) else made.request.host
    directory: Directory | None = None if host_workspace is None else Told({host: host_workspace})
    said = explain(loaded, who, made, now, client, directory, notes)
    data = explanation_data(said, logged)
    return Answer(data, "explanation", failed=data["decision"] != "allow")


def _nobody(record: dict[str, Any]) -> str:
    """Why a record names no subject."""
    code = record.get("reason")
    sentence = next((reason.sentence for reason in Reason if reason.value == code), "")
    return f"the record names nobody: {printable(str(code))}. {sentence}".rstrip(". ")


def _who(loaded: Loaded, subject: str | None, call: Call | None) -> Known:
    """The subject by name, else by the token that was pasted with the call, else the only one there is."""
    if subject is not None:
        return find(loaded.policy, subject)
    if call is not None and call.is_oauth and call.fingerprint not in loaded.policy.tokens:
        raise click.UsageError(f"{LIVES_AN_HOUR}: say with --subject who it is ('brickscope whoami' knows)")
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
