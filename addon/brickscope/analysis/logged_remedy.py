"""What would allow a call that the log has as denied. The log tells no policy and, of the call, what rules looked at: a rule
is proposed only if it allows the call by itself, as far as the record has it.

Everything here comes from the log and may be hostile: nothing is put together as text, and the policy's own reader takes it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.reason import CHANGE, SEND_A_TOKEN, Kind, Reason
from brickscope.core.rule import RuleTable

from .facts import MATCHES_NOTHING, NOT_TOLD, NotReplayable, read_facts
from .judge import Known, judge
from .opening import Entry, ends_open, opening
from .remedy import Remedy, to_yaml
from .shown import risk
from .sight import looks_at

Fields = Mapping[str, Any]
"""The fields of a denial as the log has them, JSON values read."""
MAX_VALUES = 50
"""Calls of one group for which rules are proposed."""
MAX_RULES = 10
_ADD = "add to the policy"
_NOBODY = RuleSet("log", RuleTable(()), RuleTable(()))
_POLICY = Policy({}, {}, Mode.ENFORCE, "", catalogue=operation_table())


def logged_remedy(denial: Fields, more: Sequence[Fields] = ()) -> Remedy:
    """What would allow the call of a denial. ``more``: others of the same group, which differ in their objects only."""
    reason = Reason.__members__.get(str(denial["reason"]).upper())
    if reason is None:
        return _note("this version does not know the reason")
    if reason in (Reason.NO_RULE_MATCHES, Reason.UNKNOWN_OPERATION, Reason.CONSTRAINT_NOT_MET):
        return _by_rules(reason, [denial, *more])
    return _by_entry(reason, denial) or _note(_hopeless(reason))


def _note(note: str) -> Remedy:
    return Remedy("", note=note)


# -- rules --------------------------------------------------------------------------------------------------------


def _by_rules(reason: Reason, denials: Sequence[Fields]) -> Remedy:
    """The rules for these very calls; for many objects the operation, if no rule limited it."""
    first = denials[0]
    place = ("rule_sets", str(first.get("rule_set")), "allow")
    try:
        found = [_opened(each) for each in denials[:MAX_VALUES]]
    except NotReplayable as why:
        return _note(f"a rule for it can't be proposed: {why}")
    entries: list[Entry] = []
    for each in found:
        entries += [entry for entry in each if entry not in entries]
    if reason is Reason.CONSTRAINT_NOT_MET and any(isinstance(entry, str) for entry in entries):
        return _note("write where: by hand: the log has not all values, or no rule can name them")
    joined = _joined(entries) if len(denials) <= MAX_VALUES else None
    names = list(dict.fromkeys(_name(entry) for entry in entries))
    notes = [_risk(name) for name in names]
    if joined is None:
        if reason is not Reason.NO_RULE_MATCHES:
            return _note("write where: by hand: the calls had too many different values")
        joined = [*names]
        notes.append(f"the calls named more than {MAX_RULES} objects: where: can limit it to some")
    if ends_open(joined[0]):
        notes.append("it also covers all that is below")
    return Remedy(_ADD, place, joined, "; ".join(filter(None, notes)))


def _opened(denial: Fields) -> list[Entry]:
    """The rules that allow one call. Raises NotReplayable where the log does not tell it."""
    facts = read_facts(denial, None, None)
    if facts.digests:
        raise NotReplayable("the log has digests of the values, not the values themselves")
    who = Known("log", "user", Subject("log", _NOBODY))
    call = facts.call

    def allows(rule_set: RuleSet) -> bool:
        asked = who._replace(subject=Subject("log", rule_set))
        return judge(_POLICY, asked, call, 0.0).allow

    entries = opening(_NOBODY, _looked_at(denial), facts.request, call.body, allows)
    told = not any(word in str(entries) for word in (MATCHES_NOTHING, NOT_TOLD))
    if entries is None or not told:
        raise NotReplayable("no single rule covers all its readings (see brickscope explain)")
    return entries


def _looked_at(denial: Fields) -> dict[str, list[OperationRule]]:
    """A rule with limits on all that rules looked at: one that has fewer would be wider than they are."""
    operation = load_catalog().find(str(denial.get("operation")))
    params, names = denial.get("params"), denial.get("param_names")
    if operation is None or denial["reason"] != Reason.CONSTRAINT_NOT_MET or not isinstance(params, Mapping):
        return {}
    where = looks_at(operation, map(str, params))
    if len(where) < len(params):
        raise NotReplayable("this version's catalogue has no such parameter")
    only = frozenset[str]() if isinstance(names, list) else None
    return {operation.name: [OperationRule(operation.name, operation.name, tuple(where), only)]}


def _joined(entries: list[Entry]) -> list[Entry] | None:
    """Rules that differ in the value of one parameter alone as one with a list; None for too many others."""
    if len(entries) == 1:
        return entries
    wheres = [entry.get("where", {}) for entry in entries if isinstance(entry, dict)]
    alike = {(_name(entry), str(entry.get("only"))) for entry in entries if isinstance(entry, dict)}
    keys = {tuple(where) for where in wheres}
    if len(wheres) == len(entries) and len(alike) == 1 and len(keys) == 1 and len(wheres[0]) == 1:
        ((key,),) = keys
        values = [where[key] for where in wheres]
        if all(isinstance(value, str | int) for value in values):
            return [{**entries[0], "where": {key: values}}]  # type: ignore[dict-item]
    return entries if len(entries) <= MAX_RULES else None


def _name(entry: Entry) -> str:
    return entry if isinstance(entry, str) else str(entry["operation"])


def _risk(name: str) -> str:
    operation = load_catalog().find(name)
    if operation is None:
        return "the catalogue does not have this call, so its effect is not known"
    return "" if operation.kind in ("read", "write") else f"{name} is of {risk(operation.name)}"


# -- subjects, bindings, options ----------------------------------------------------------------------------------

_STRANGER = "find out first whose it is; choose NEW-NAME and RULE-SET"
_NOTES = {
    Reason.MISSING_CREDENTIAL: SEND_A_TOKEN,
    Reason.UNSUPPORTED_CREDENTIAL: SEND_A_TOKEN,
    Reason.HOST_NOT_IN_SCOPE: "the option scope_hosts names the Databricks hosts that are under policy",
    Reason.OTHER_HOST: "the option scope_other_hosts=tunnel lets other hosts pass, unread",
    Reason.ADDRESS_NOT_ALLOWED: "the option scope_allow_addresses names private addresses that may be reached",
}


def _by_entry(reason: Reason, denial: Fields) -> Remedy | None:
    """What to write of a subject or an option; None where neither helps."""
    subject, host = str(denial.get("subject")), denial.get("server_address")
    match reason:
        case Reason.DENIED_BY_RULE:
            rule = to_yaml(denial.get("rule"))
            return _note(
                f"a deny rule overrides every allow: rule set {denial.get('rule_set')}, deny, {rule}"
            )
        case Reason.EXPIRED:
            return _note(f"a later expires: for {subject}, or none")
        case Reason.CLIENT_NOT_ALLOWED:
            return Remedy(_ADD, (subject, "clients"), [str(denial.get("client_address"))])
        case Reason.WORKSPACE_NOT_ALLOWED:
            workspace = denial.get("workspace") or denial.get("host_workspace")
            return Remedy(
                _ADD, (subject, "workspaces"), [f"{host}?o={workspace}" if workspace else str(host)]
            )
        case Reason.GRANT_NOT_ALLOWED:
            return Remedy(_ADD, (subject, "grants"), [str(denial.get("grant"))])
        case Reason.UNKNOWN_TOKEN:
            return _newcomer("tokens", fingerprint=denial.get("fingerprint"), rule_set="RULE-SET")
        case Reason.UNKNOWN_PRINCIPAL | Reason.UNKNOWN_CLIENT:
            return _new_principal(reason, denial)
        case _:
            return _note(_NOTES[reason]) if reason in _NOTES else None


def _newcomer(group: str, note: str = _STRANGER, **entry: Any) -> Remedy:
    return Remedy(_ADD, (group,), {"NEW-NAME": entry}, note)


def _new_principal(reason: Reason, denial: Fields) -> Remedy:
    claims = denial.get("principal")
    told = claims if isinstance(claims, dict) else {}
    client, sub, tenant = (told.get(name) for name in ("client_id", "sub", "tenant"))
    if reason is Reason.UNKNOWN_CLIENT:
        if not client:
            return _note("the token request names no client: see logins: in docs/identity.md")
        return _newcomer("service_principals", client_id=client, rule_set="RULE-SET")
    if not client and not sub:
        return _note("the log does not name whose token it is")
    if tenant:
        note = f"{_STRANGER}; TENANT is the name under tenants: of {tenant}"
        group = "service_principals" if sub == told.get("object_id") else "users"
        return _newcomer(group, note, tenant="TENANT", object_id=told.get("object_id"), rule_set="RULE-SET")
    if sub is None or sub == client:
        return _newcomer("service_principals", client_id=client, rule_set="RULE-SET")
    # A user's token tells its application as well, which is the same for everybody who uses it.
    return _newcomer("users", sub=sub, rule_set="RULE-SET", workspaces=[denial.get("server_address")])


_HOPELESS = {
    Kind.PLACEHOLDER: "no rule can allow it: see docs/placeholders.md",
    Kind.INTERNAL: "no policy can allow it: something failed inside the proxy",
    Kind.SUBJECT: "no policy can allow it: the credential is not valid",
}


def _hopeless(reason: Reason) -> str:
    if reason.kind in (Kind.READING, Kind.FORBIDDEN):
        return f"no rule can allow it; what the client can change: {CHANGE[reason]}"
    return _HOPELESS.get(reason.kind, "rules do not apply: the destination or the connection is refused")
