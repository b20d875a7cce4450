"""``brickscope catalog``: find an operation by words or by a call, and see what it is and who may do it."""

import re
from pathlib import Path
from typing import Any

import click

from brickscope.analysis.judge import known
from brickscope.analysis.placement import find_operation
from brickscope.analysis.way import abilities
from brickscope.catalog.catalog import Operation, load_catalog, operation_table
from brickscope.core.decision import Refused
from brickscope.core.path import on_host, read_target
from brickscope.core.rule import METHODS, WEBSOCKET
from brickscope.policy.load import Loaded

from .command import Group
from .options import load_rules, rules_option
from .output import Answer, answers, say

_CALL = re.compile(
    r"(?:(?P<method>[A-Z]+)\s+)?(?=https?://|/)(?:https?://(?P<host>[^/?#:\s]*)[^/?#\s]*)?(?P<path>/[^?#\s]*)?[?#]?\S*\Z"
)


@click.group("catalog", cls=Group)
def catalog_command() -> None:
    """Search the operations of the Databricks API that rules can name.

    \b
    Examples:
      brickscope catalog search run job
      brickscope catalog search 'POST https://dbc-….cloud.databricks.com/api/2.1/jobs/run-now'
      brickscope catalog show jobs.run_now --rules rules
    """


@catalog_command.command("search")
@click.argument("words", nargs=-1, required=True)
@answers
def search_command(words: tuple[str, ...]) -> Answer:
    """List operations by words, or by a call.

    Those whose name, path or risk contains all WORDS, or the one that METHOD URL calls.

    Exit status: 0 found, 1 nothing found.

    \b
    Examples:
      brickscope catalog search secret read
      brickscope catalog search GET /api/2.0/sql/warehouses
    """
    found = _by_call(" ".join(words))
    if found is None:
        lower = [word.lower() for word in words]
        found = [
            operation
            for operation in load_catalog().operations.values()
            if all(word in _text(operation) for word in lower)
        ]
        found.sort(key=lambda operation: -sum(word in operation.name for word in lower))  # the closest first
    if not found:
        say("nothing found")
    width = max((len(operation.name) for operation in found), default=0)
    lines = [f"{each.name:{width}}  {each.kind:7}  {each.calls[0]}" for each in found]
    return Answer([_data(operation) for operation in found], lines, failed=not found)


@catalog_command.command("show")
@click.argument("name")
@rules_option("The policy: also show which subjects may call it.", optional=True)
@answers
def show_command(name: str, rules: Path | None) -> Answer:
    """Show an operation.

    Its calls, the places of its parameters, native scope, class and risk. NAME is that of the official SDK, such as
    jobs.run_now.

    \b
    Exit status: 0 shown, 2 there is no such operation.

    \b
    Examples:
      brickscope catalog show permissions.update
      brickscope catalog show jobs.run_now --rules rules --json
    """
    operation = find_operation(name)
    said = _data(operation)
    if rules is not None:
        said["subjects"] = _who(load_rules(rules), operation)
    return Answer(said, "operation")


def _by_call(text: str) -> list[Operation] | None:
    """The operations of ``METHOD URL`` or ``METHOD /path`` in all readings; without a method, those of any. None if it is no
    call."""
    call = _CALL.match(text)
    if call is None:
        return None
    try:
        readings = on_host(read_target((call["path"] or "/").encode()), call["host"] or "")
    except Refused as refused:
        raise click.UsageError(refused.detail) from None
    methods = [call["method"]] if call["method"] else (*METHODS, WEBSOCKET)
    rules = [operation_table().match(method, each.route) for each in readings for method in methods]
    names = dict.fromkeys(name for rule in rules if rule is not None for name in rule.names)
    return [load_catalog().operations[name] for name in names]


def _text(operation: Operation) -> str:
    words = [
        operation.name,
        *operation.names,
        *operation.calls,
        operation.kind,
        operation.risk,
        *operation.object,
    ]
    return " ".join(words).lower()


def _data(operation: Operation) -> dict[str, Any]:
    required = set(operation.required)
    return {
        "name": operation.name,
        "names": list(operation.names),
        "class": operation.kind,
        "risk": operation.risk or None,
        "scope": operation.scope or None,
        "calls": list(operation.calls),
        "object": dict(operation.object),
        "parameters": {
            place: [f"{name}*" if name in required else name for name in names]
            for place, names in (
                ("path", operation.path),
                ("query", operation.query),
                ("body", operation.body),
            )
            if names
        },
        "kinds": _kinds(operation),
        "encoded": list(operation.encoded),
        "source": operation.source,
    }


def _kinds(operation: Operation) -> dict[str, list[str]]:
    """The parameters by the kind of their values, in the words of docs/rules.md."""
    found: dict[str, list[str]] = {}
    for name in (*operation.path, *operation.query, *operation.body):
        written = operation.types.get(name, "text").strip("[]")
        kind = "object" if written.startswith("{") or "." in written else written.replace("_", " ")
        found.setdefault(kind, []).append(name)
    return found


def _who(loaded: Loaded, operation: Operation) -> list[dict[str, str]]:
    """The subjects that may call an operation, each with the rule; bindings and modes apart."""
    by_set = {
        name: abilities(loaded.written.of(name)).operations.get(operation.name)
        for name in loaded.policy.rule_sets
    }
    found = []
    for who in sorted(known(loaded.policy).values()):
        able = None if who.rule_set is None else by_set[who.rule_set]
        if able is not None and able.allowed and not able.is_denied:
            # One without conditions settles it; otherwise each may.
            whole = [way.text for way in able.allowed if way.whole]
            rules = whole[:1] or [way.text for way in able.allowed]
            found.append({"subject": who.name, "kind": who.kind, "rule": "; ".join(rules)})
    return found
