"""The whole story of one call, from the decision id in a user's 403."""

from typing import Any, NamedTuple

from .queries import query
from .reader import AuditLog, Progress, record_of

Record = dict[str, Any]
NEAR = 3
_SHOWN = (
    "time", "instance", "seq", "event", "decision_id", "decision", "enforced", "reason", "method", "path", "operation",
    "client_address", "server_address", "policy_revision", "loaded", "problems", "mode", "scope", "name",
    "previous_mode", "previous_revision", "version",
)  # fmt: skip


class Story(NamedTuple):
    """``decision`` and ``outcome`` as they were recorded, without fields that are null; the outcome is None for a call that
    was not sent, or that was under way when the log ends. ``before`` and ``after``: starts, reloads and changes of mode of
    the same run, the nearest last and first. ``previous`` and ``next``: calls of the same subject (of nobody known: of the
    same token, else of the same client). ``others``: records with the same id, of which there should be none."""

    decision: Record
    outcome: Record | None
    before: list[Record]
    after: list[Record]
    previous: Record | None
    next: Record | None
    others: int


def find_story(log: AuditLog, decision_id: str, progress: Progress | None = None) -> Story | None:
    """The story of a decision or tunnel; None if the log does not have it."""
    found = "SELECT * FROM records WHERE decision_id = $id ORDER BY time, instance, seq LIMIT 100"
    rows = list(map(record_of, log.select(found, {"id": decision_id}, progress)))
    decisions = [row for row in rows if row["event"] in ("decision", "tunnel")]
    outcomes = [row for row in rows if row["event"] == "outcome"]
    if not decisions:
        return None
    decision = decisions[0]
    near = _near(log, decision, progress)
    return Story(
        decision,
        outcomes[0] if outcomes else None,
        [record_of(each) for each in near["before"] or ()][::-1],
        [record_of(each) for each in near["after"] or ()],
        near["previous"] and record_of(near["previous"]),
        near["next"] and record_of(near["next"]),
        len(rows) - 1 - bool(outcomes),
    )


def _near(log: AuditLog, decision: Record, progress: Progress | None) -> dict[str, Any]:
    same = next(
        (name for name in ("subject", "fingerprint", "client_address") if decision.get(name) is not None),
        None,
    )
    is_same = f"{same} = $same" if same else "false AND $same IS NULL"
    shown = f"struct_pack({', '.join(f'{name} := {name}' for name in _SHOWN)})"
    sql = query("duckdb/story").format(most=NEAR, shown=shown, same=is_same)
    parameters = {name: decision[name] for name in ("time", "instance", "seq")} | {
        "same": decision.get(same) if same else None
    }
    return log.select(sql, parameters, progress)[0]
