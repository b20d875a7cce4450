"""The tree of what was learned, as ``--json`` prints it. Times are datetimes, UTC."""

from collections.abc import Iterable, Iterator
from typing import Any

from brickscope.log.record import printable

from ..shown import place
from .learning import Learned
from .limits import WATCHED
from .observation import Tally
from .proposal import describe, rule_lines


def data(said: Learned, written: Iterable[str] = ()) -> dict[str, Any]:
    """What was learned. ``written``: the files into which the draft went."""
    proposal, draft, present = said.proposal, said.draft, said.present
    return {
        said.who.by: said.who.value,
        "name": said.name,
        "calls": said.evidence.calls,
        "evidence": said.evidence.calls - sum(said.left_out.values()),
        "left_out": said.left_out,
        "why_not_replayable": {printable(why): calls for why, calls in said.not_replayable.items()},
        "unmet": list(map(printable, said.unmet)),
        "clients": said.evidence.clients,
        "workspaces": list(said.evidence.workspaces),
        "operations": list(_operations(said)),
        "allowed_already": [{"operation": name, **_tally(tally)} for name, tally in said.covered.items()],
        "proposed": [
            {"rule": entry.written, "operations": list(entry.operations), **_tally(entry.tally)}
            for entry in proposal.entries
        ],
        "limits": {
            name: [{"parameter": each.name, "test": each.test, "note": each.note} for each in limits]
            for name, limits in proposal.limits.items()
        },
        "not_proposed": [
            {
                "operation": each.operation.name,
                "class": each.operation.kind,
                "risk": each.operation.risk,
                "option": f"--include {each.operation.name}",
                **_tally(each.tally),
            }
            for each in proposal.dangerous
        ],
        "unknown_paths": [
            {"method": printable(method), "path": printable(path), **_tally(tally)}
            for (method, path), tally in sorted(
                proposal.paths.items(), key=lambda each: (-each[1].calls, each[0])
            )
        ],
        "not_in_the_log": {name: list(parameters) for name, parameters in proposal.unlogged.items()},
        "watch": [
            line
            for name, parameters in proposal.unlogged.items()
            # A rule that limits nothing and makes the log hold these parameters.
            for line in rule_lines({"operation": name, "where": {each: dict(WATCHED) for each in parameters}})
        ],
        "rule_set": None if present is None else present.rule_set,
        "shared": [] if present is None else list(present.shared),
        "replaced": [rule.text for rule in said.replaced],
        "replaced_at": [place(rule.position) for rule in said.replaced],
        "unused": [rule.text for rule in said.unused],
        "unused_at": [place(rule.position) for rule in said.unused],
        "stability": _stability(said),
        "scopes": said.scopes,
        "file": None if draft is None or draft.file is None else str(draft.file),
        "policy": None if draft is None else draft.text,
        "patch": None if draft is None else draft.patch or None,
        "written": list(written),
        "proof": None
        if said.proof is None
        else {
            **said.proof._asdict(),
            "holds": said.proof.holds,
            "failed": list(map(printable, said.proof.failed)),
        },
    }


def _operations(said: Learned) -> Iterator[dict[str, Any]]:
    """Everything that was seen and is allowed, or would be, each once."""
    rows = [(name, "allowed already", tally) for name, tally in said.covered.items()]
    for entry in said.proposal.entries:
        what = "proposed" if entry.operations else "proposed by path"
        names = entry.operations or (printable(str(entry.written)),)
        rows += [(name, what, entry.tally) for name in names if (name, what, entry.tally) not in rows]
    return ({"name": name, "what": what, **_tally(tally)} for name, what, tally in rows)


def _stability(said: Learned) -> dict[str, Any]:
    """For how long the subject was observed, and for how long nothing new was seen. Days are whole ones."""
    seen = said.evidence
    tallies = [*said.covered.values(), *(entry.tally for entry in said.proposal.entries)]
    tallies += [each.tally for each in said.proposal.dangerous] + list(said.proposal.paths.values())
    newest = max((tally.first_seen for tally in tallies), default=None)
    end = seen.last_seen
    return {
        "first_seen": seen.first_seen,
        "last_seen": end,
        "observed_days": 0 if end is None or seen.first_seen is None else (end - seen.first_seen).days,
        "newest_operation": newest,
        "days_without_new": 0 if end is None or newest is None else (end - newest).days,
        "seen_once": sum(tally.calls == 1 for tally in tallies),
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "calls": tally.calls,
        "first_seen": tally.first_seen,
        "last_seen": tally.last_seen,
        "days": len(tally.days),
        "clients": sorted(tally.clients),
        "seen_once": tally.calls == 1,
        "seen": describe(tally),
    }
