"""The demonstration: a call that is allowed, one that is denied, three lines of YAML, the same call allowed.

Nothing is staged but the workspace: the proxy is the real mitmdump with the real addon, the calls are real TLS through
it. Every step is checked; the exit status is 1 if anything differs from what the text says.
"""

import contextlib
import difflib
import json
import signal
import sys
import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .stage import HOST, Answer, Stage, StageError, open_stage
from .workspace import CATALOGS, QUERIES, WAREHOUSES

NEW_RULE = f"      - GET {WAREHOUSES}\n"
RELOAD_SECONDS = 5.0
PAUSE = 0.5
COLUMNS = ("time", "decision", "reason", "subject", "method", "path", "decision_id")


class Demo:
    """Tells the story and counts what is not as told."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage = stage
        self._console = console
        self.surprises: list[str] = []

    def run(self) -> None:
        """All steps, in order."""
        self._say(
            "[bold]Brickscope[/bold]: a Databricks token that may do all, and a proxy that lets it do two things."
        )
        self._say(f"The workspace {HOST} is a fake on this machine; proxy, policy, TLS and calls are real.")

        self._head("1. The policy")
        self._say(escape(self._stage.policy_file.read_text().rstrip()))

        self._head("2. Three calls with the same token")
        self._call(CATALOGS, 200)
        self._call(QUERIES, 200)
        denied = self._call(WAREHOUSES, 403)
        self._say(escape(json.dumps(denied.value, indent=2)))
        value = denied.value if isinstance(denied.value, dict) else {}
        is_ours = value.get("error_code") == "PERMISSION_DENIED" and isinstance(value.get("message"), str)
        self._expect(is_ours, "the denial is JSON with error_code PERMISSION_DENIED and a message")
        reached = list(self._stage.workspace.paths)
        self._expect(
            reached == [CATALOGS, QUERIES], f"the workspace saw only the allowed calls, not {reached}"
        )
        self._say(f"What reached the workspace: {', '.join(reached)}")

        self._head("3. One more rule, while the proxy runs")
        self._edit()
        self._say("The demo asks again until the edit is in force.")
        self._call_until_allowed()

        self._head("4. The audit log")
        self._show_audit(denied)

    def _head(self, text: str) -> None:
        self._console.print()
        self._console.rule(f"[bold]{text}", align="left", style="dim")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _expect(self, true: bool, what: str) -> None:
        """Note that ``what`` was expected, if it isn't so."""
        if not true:
            self.surprises.append(what)
            self._say(f"[red]Not as expected:[/red] {escape(what)}")

    def _call(self, path: str, status: int) -> Answer:
        answer = self._stage.call(path)
        color = "green" if answer.status == 200 else "red"
        self._say(f"GET {path}  [bold {color}]{answer.status}[/bold {color}]")
        self._expect(answer.status == status, f"GET {path} is answered {status}, not {answer.status}")
        return answer

    def _edit(self) -> None:
        before = self._stage.policy_file.read_text()
        with self._stage.policy_file.open("a") as file:
            file.write(NEW_RULE)
        old, new = before.splitlines(), (before + NEW_RULE).splitlines()
        for line in [*difflib.unified_diff(old, new, lineterm="", n=2)][3:]:
            style = "green" if line.startswith("+") else "dim"
            self._say(f"[{style}]{escape(line)}[/{style}]")

    def _call_until_allowed(self) -> None:
        started = time.monotonic()
        while (passed := time.monotonic() - started) <= RELOAD_SECONDS:
            if self._stage.call(WAREHOUSES).status == 200:
                self._say(f"The policy was loaded again within {passed:.1f} s.")
                break
            time.sleep(PAUSE)
        self._call(WAREHOUSES, 200)

    def _show_audit(self, denied: Answer) -> None:
        records = [record for record in self._stage.read_audit() if record.get("event") == "decision"]
        table = Table(*COLUMNS, box=None, pad_edge=False)
        for record in records:
            color = "green" if record.get("decision") == "allow" else "red"
            table.add_row(*(f"[{color}]{escape(_cell(record, name))}" for name in COLUMNS))
        # As wide as its content, so that every line stays whole where the output goes to a file or a narrow terminal.
        Console(file=self._console.file, width=max(self._console.width, 180)).print(table)
        self._expect(len(records) >= 4, f"each call left a decision in the log, which has {len(records)}")
        ids = [record["decision_id"] for record in records if record.get("path") == WAREHOUSES]
        self._expect(
            bool(ids) and ids[0] in json.dumps(denied.value),
            "the 403 carries the decision_id that is in the log",
        )
        self._expect(
            self._stage.token not in self._stage.audit_file.read_text(),
            "the token itself is nowhere in the log",
        )
        if not self.surprises:
            self._say("The 403 carried the same decision_id; the token itself is in no line of the log.")


def _cell(record: dict[str, Any], name: str) -> str:
    value = str(record.get(name) or "-")
    return value[11:23] if name == "time" else value


def _keep(stage: Stage, console: Console) -> None:
    """Print what a second terminal needs, and wait until somebody ends it."""
    lines = [
        "",
        "[bold]Workspace and proxy stay up until you press Ctrl-C.[/bold] In a second terminal:",
        "",
        *(f"  export {name}={value}" for name, value in stage.variables.items()),
        f'  curl -H "Authorization: Bearer $DATABRICKS_TOKEN" $DATABRICKS_HOST{CATALOGS}',
        "",
        f"The policy, to edit: {stage.policy_file}",
        f"The log: {stage.audit_file}",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job has the first one ignored
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        stage.wait()


def main() -> None:
    """Run the demonstration; with ``--keep`` leave all of it up. Exit status 1 if it failed, or if a step went otherwise
    than told."""
    console = Console()
    try:
        with open_stage() as stage:
            demo = Demo(stage, console)
            demo.run()
            if "--keep" in sys.argv[1:]:
                _keep(stage, console)
    except StageError as error:
        console.print(
            f"[red]The demonstration failed:[/red] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(1)
    if demo.surprises:
        console.print(f"\n[red]{len(demo.surprises)} of the steps did not go as expected.[/red]")
        sys.exit(1)
    console.print("\n[bold]That was all of it.[/bold] Next: brickscope init")


if __name__ == "__main__":
    main()
