"""Sessions in a log: what one subject did, in monitor mode, as records; and what learning makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner, Result

from audit.made_log import START, Record, write_log
from brickscope.analysis.learn.evidence import Selector
from brickscope.analysis.learn.learning import Learned, learn
from brickscope.analysis.learn.proposal import Wish
from brickscope.audit.reader import AuditLog
from brickscope.catalog.catalog import operation_table
from brickscope.cli.main import main
from brickscope.core.decision import Refused
from brickscope.core.path import read_target
from brickscope.policy.load import load_policy
from core.wire import HOST

FINGERPRINT = "sha256:" + "a" * 64
CI = Selector("subject", "ci")
POLICY = f"""\
# Who may do what.
version: 1
tokens:
  ci:
    fingerprint: {FINGERPRINT}
    rule_set: runner   # see below
    mode: monitor
rule_sets:
  # The nightly runs.
  runner:
    allow:
      # asked for in OPS-7
      - current_user.me   # always
    # nothing is denied
"""


class Did(NamedTuple):
    """One call. ``status``: of its answer, None for no outcome. ``hours``: when, from the start on."""

    method: str
    path: str
    params: dict[str, Any] | None = None
    status: int | None = 200
    hours: float = 0.0
    fields: dict[str, Any] = {}


def get(path: str, **more: Any) -> Did:
    return Did("GET", path, **more)


def operation_of(did: Did) -> str | None:
    """What the catalogue calls it."""
    try:
        found = operation_table().match(did.method, read_target(did.path.encode())[0].segments)
    except Refused:
        return None
    return None if found is None else found.text


def session(calls: Iterable[Did]) -> list[Record]:
    """The records of calls that monitor mode let go on, though no rule allows them."""
    records: list[Record] = []
    for number, did in enumerate(calls, 1):
        moment = START + timedelta(hours=did.hours, milliseconds=number)
        decision_id = f"00000001-{number}"
        every = {
            "schema": 1,
            "time": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
            "instance": "00000001",
            "policy_revision": "r",
            "prev_hash": "0" * 64,
            "hash": "0" * 64,
        }
        records.append(
            {
                **every,
                "seq": 2 * number,
                "event": "decision",
                "decision_id": decision_id,
                "decision": "deny",
                "enforced": False,
                "mode": "monitor",
                "reason": "no_rule_matches",
                "detail": "no rule",
                "subject": "ci",
                "fingerprint": FINGERPRINT,
                "rule_set": "runner",
                "rule": None,
                "operation": operation_of(did),
                "client_address": "10.0.8.14",
                "server_address": HOST,
                "method": did.method,
                "path": did.path,
                "workspace": None,
                "host_workspace": None,
                "params": did.params or {},
                "param_names": None,
                "principal": None,
                "grant": None,
                "has_body": False,
                "user_agent": "test",
                **did.fields,
            }
        )
        if did.status is not None:
            outcome = {"request_bytes": 0, "response_bytes": 9, "duration_ms": 1.0, "status": did.status}
            records.append(
                {**every, "seq": 2 * number + 1, "event": "outcome", "decision_id": decision_id, **outcome}
            )
    return records


def learned(
    folder: Path,
    calls: Iterable[Did],
    wish: Wish = Wish(),  # noqa: B008 - immutable
    *,
    policy: str | None = POLICY,
    who: Selector = CI,
    **more: Any,
) -> Learned:
    """What is learned of calls. ``policy``: the present one, None for no policy."""
    write_log(folder / "log", session(calls))
    loaded = None
    if policy is not None:
        (folder / "rules").mkdir(exist_ok=True)
        (folder / "rules" / "policy.yaml").write_bytes(policy.encode())
        loaded = load_policy(folder / "rules", START.timestamp())
    with AuditLog([folder / "log"]) as log:
        return learn(log, who, wish, loaded, **more)


def proposed(said: Learned) -> list[Any]:
    """The rules that are proposed, as the policy has them."""
    return [entry.written for entry in said.proposal.entries]


def run(*arguments: str | Path) -> Result:
    """The command, as a shell runs it."""
    result = CliRunner().invoke(main, ["learn", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def data(*arguments: str | Path) -> Any:
    """What the command says as JSON."""
    return json.loads(run(*arguments, "--json").stdout)
