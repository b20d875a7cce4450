"""What was learned, in lines for people and as data for programs. All that a client wrote is made printable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from brickscope.analysis.shown import place, risk
from brickscope.count import counted
from brickscope.log.record import printable

from .learning import Learned
from .limits import WATCHED
from .observation import Tally
from .proposal import Proposal, describe, rule_lines
from .scopes import EVERYTHING, Scopes

MAX_LISTED = 20
LEFT_OUT = {
    "denied": "denied and not sent",
    "denied_sent": "denied by a deny rule, a binding or their shape, though monitor mode sent some",
    "no_outcome": "without an outcome in this part of the log",
    "no_answer": "without an answer",
    "failed": "answered with an error (4xx, 5xx) or no final answer",
    "token_request": "requests for tokens, which grants: opens and no rule",
    "not_told": "not whole in the log (redacted, escaped or clipped)",
    "too_many_paths": "of no known operation, beyond the most that are kept",
}


def lines(said: Learned) -> Iterator[str]:
    """For people, without the draft."""
    seen = said.evidence
    kept = seen.calls - sum(said.left_out.values())
    yield (
        f"{printable(said.name)}: {counted(seen.calls, 'call')}, {kept:,} of them "
        f"evidence, from {len(seen.clients):,} address{'es' if len(seen.clients) != 1 else ''}"
    )
    yield from _left_out(said)
    yield ""
    yield from _operations(said)
    yield from _dangerous(said.proposal)
    yield from _paths(said.proposal)
    yield from _unlogged(said.proposal)
    yield from _rules(said)
    yield from _stability(said)
    yield ""
    yield from _scopes(said.scopes)


def proof_lines(said: Learned) -> Iterator[str]:
    """What was shown of the draft."""
    if said.proof is None:
        left = said.proposal.dangerous or said.proposal.paths
        why = "" if not said.covered else " beyond that" if left else ": the policy allows all of it already"
        yield f"nothing to propose{why}"
        return
    proof = said.proof
    yield (
        f"proof: the policy loads with it, and {proof.allowed:,} of {proof.calls:,} calls that it is to cover are allowed"
    )
    for text in proof.failed:
        yield f"  not allowed: {printable(text)}"


def _left_out(said: Learned) -> Iterator[str]:
    for why, calls in sorted(said.left_out.items(), key=lambda each: -each[1]):
        text = LEFT_OUT.get(why) or f"that the policy denies now, with {why.removeprefix('now_')}"
        yield f"  no evidence: {calls:,} {text}"


def _operations(said: Learned) -> Iterator[str]:
    rows = [(name, tally, "allowed already") for name, tally in said.covered.items()]
    for entry in said.proposal.entries:
        what = "proposed" if entry.operations else "proposed by path"
        names = entry.operations or (printable(str(entry.written)),)
        rows += [(name, entry.tally, what) for name in names if (name, entry.tally, what) not in rows]
    if rows:
        width = max(len(name) for name, *_ in rows)
        for name, tally, what in rows:
            yield f"  {name:{width}}  {describe(tally)}, {_clients(tally)}; {what}"


def _clients(tally: Tally) -> str:
    if len(tally.clients) <= 3:
        return f"from {', '.join(printable(each) for each in sorted(tally.clients))}"
    return f"from {len(tally.clients)} addresses"


def _dangerous(proposal: Proposal) -> Iterator[str]:
    if not proposal.dangerous:
        return
    yield ""
    yield "seen and not proposed, because it grants, reads secrets, runs code, or can widen what its holder may do:"
    for operation, tally, option in proposal.dangerous:
        yield f"  {operation.name}  {describe(tally)}, {_clients(tally)}; {risk(operation.name)}"
        yield f"    to propose it: {option}"


def _paths(proposal: Proposal) -> Iterator[str]:
    if not proposal.paths:
        return
    yield ""
    yield "seen and not proposed, because the catalogue knows no such operation (--paths proposes rules by path):"
    listed = sorted(proposal.paths.items(), key=lambda each: (-each[1].calls, each[0]))
    for (method, path), tally in listed[:MAX_LISTED]:
        yield f"  {printable(method)} {printable(path)}  {describe(tally)}, {_clients(tally)}"
    if len(listed) > MAX_LISTED:
        yield f"  and {len(listed) - MAX_LISTED:,} more"


def _unlogged(proposal: Proposal) -> Iterator[str]:
    if not proposal.unlogged:
        return
    yield ""
    yield "not limited, because the log has only parameters that a rule looked at. To learn their values, put these in place"
    yield "of the rules without limits, in monitor mode, and learn again from then on (--since):"
    for name, parameters in proposal.unlogged.items():
        yield from (f"  {line}" for line in watching(name, parameters))


def watching(operation: str, parameters: Iterable[str]) -> list[str]:
    """A rule that limits nothing and makes the log hold these parameters, as lines of a list."""
    return rule_lines({"operation": operation, "where": {name: dict(WATCHED) for name in parameters}})


def _rules(said: Learned) -> Iterator[str]:
    if said.present is None:
        return
    if said.present.shared:
        yield ""
        others = ", ".join(said.present.shared[:10])
        yield f"the rule set {said.present.rule_set} is also that of {others}: it changes for them too"
    for rules, what in (
        (said.replaced, "watched until now, and limited by what was learned:"),
        (said.unused, "rules that no observed call needed (--drop-unused takes them out):"),
    ):
        if rules:
            yield ""
            yield what
            yield from (f"  {place(rule.position)}  {printable(rule.text)}" for rule in rules)


def stability(said: Learned) -> dict[str, Any]:
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


def _stability(said: Learned) -> Iterator[str]:
    found = stability(said)
    if found["newest_operation"] is None:
        return
    yield ""
    days, quiet = found["observed_days"], found["days_without_new"]
    begin, end = (f"{found[key]:%Y-%m-%d %H:%M}" for key in ("first_seen", "last_seen"))
    yield (
        f"observed for {counted(days, 'day')} ({begin} to {end}); no new operation for "
        f"{counted(quiet, 'day')}; {found['seen_once']} seen once"
    )


def _scopes(scopes: Scopes) -> Iterator[str]:
    if scopes.demanding:
        yield f"native scope: {EVERYTHING}, which these demand whatever else the token has: {', '.join(scopes.demanding)}"
        rest = "without them"
    else:
        rest = "native scopes"
    if scopes.scopes:
        yield f"{rest}: {' '.join(scope.name for scope in scopes.scopes)}"
        unsure = [scope.name for scope in scopes.scopes if not scope.confirmed]
        if unsure:
            yield f"  unconfirmed, by the name of the service only: {', '.join(unsure)}"
    if scopes.unknown:
        yield f"  no scope is known for {', '.join(scopes.unknown)}: try the token, it may need {EVERYTHING}"
    if scopes.paths:
        yield f"  calls by path are of no known operation: these may need {EVERYTHING}"


def data(said: Learned) -> dict[str, Any]:
    """For programs. Times are datetimes, UTC."""
    proposal, draft = said.proposal, said.draft
    return {
        said.who.by: said.who.value,
        "name": said.name,
        "calls": said.evidence.calls,
        "evidence": said.evidence.calls - sum(said.left_out.values()),
        "left_out": said.left_out,
        "clients": said.evidence.clients,
        "workspaces": list(said.evidence.workspaces),
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
                "option": each.option,
                **_tally(each.tally),
            }
            for each in proposal.dangerous
        ],
        "unknown_paths": [
            {"method": method, "path": path, **_tally(tally)}
            for (method, path), tally in proposal.paths.items()
        ],
        "not_in_the_log": {name: list(parameters) for name, parameters in proposal.unlogged.items()},
        "replaced": [rule.text for rule in said.replaced],
        "unused": [rule.text for rule in said.unused],
        "stability": stability(said),
        "scopes": {
            "scopes": [scope._asdict() for scope in said.scopes.scopes],
            "demand_all_apis": list(said.scopes.demanding),
            "unknown": list(said.scopes.unknown),
            "paths": said.scopes.paths,
        },
        "file": None if draft is None or draft.file is None else str(draft.file),
        "policy": None if draft is None else draft.text,
        "patch": None if draft is None else draft.patch or None,
        "proof": None if said.proof is None else {**said.proof._asdict(), "holds": said.proof.holds},
    }


def _tally(tally: Tally) -> dict[str, datetime | int | list[str] | bool]:
    return {
        "calls": tally.calls,
        "first_seen": tally.first_seen,
        "last_seen": tally.last_seen,
        "days": len(tally.days),
        "clients": sorted(tally.clients),
        "seen_once": tally.calls == 1,
    }
