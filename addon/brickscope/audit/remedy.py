"""What would allow a call that was denied: the least that does, as YAML for the policy, and where it goes.

Everything here comes from the log and may be hostile, so nothing is put together as text: YAML is written by its library,
and a rule is proposed only if the policy's own reader takes it and it matches the very call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.core.decision import Refused
from brickscope.core.path import on_host, read_target
from brickscope.core.reason import CHANGE, Kind, Reason
from brickscope.core.rule import RuleTable, parse_rule
from brickscope.core.template import Literal, TemplateError
from brickscope.policy.where import parse_constraint

Fields = Mapping[str, Any]
"""The fields of a denial as the log has them, JSON values read."""
MAX_VALUES = 50
_REASONS = {reason.value: reason for reason in Reason}


class Remedy(NamedTuple):
    """``place``: the keys of the policy under which ``item`` (YAML of one entry) is to be put; both empty where no
    lines of policy would allow the call. ``note``: a sentence for people, may be empty."""

    place: tuple[str, ...]
    item: Any
    note: str = ""

    @property
    def yaml(self) -> str | None:
        """The lines to paste, without indentation; None where there are none."""
        return None if self.item is None else to_yaml(self.item)


_Finder = Callable[[Fields, list[Any]], Remedy]
NOTHING = Remedy((), None)


def to_yaml(value: Any) -> str:
    """A value as lines of YAML in printable ASCII, without a line end."""
    if isinstance(value, list):
        return "\n".join(f"- {to_yaml(each)}".replace("\n", "\n  ") for each in value)
    if isinstance(value, dict):
        return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=2**30).rstrip("\n")
    return yaml.safe_dump([value], default_flow_style=True, width=2**30)[1:-2]


def find_remedy(denial: Fields, params: Sequence[Any] = ()) -> Remedy:
    """What would allow the call of a denial, or the calls that differ only in ``params`` (each as in the log)."""
    reason = _REASONS.get(str(denial["reason"]))
    if reason is None:
        return NOTHING._replace(note="this version does not know the reason")
    found = _BY_REASON.get(reason)
    if found is not None:
        return found(denial, list(params) or [denial.get("params")])
    if reason.kind in (Kind.READING, Kind.FORBIDDEN):
        return NOTHING._replace(note=f"no rule can allow it; what the client can change: {CHANGE[reason]}")
    if reason.kind is Kind.INTERNAL:
        return NOTHING._replace(note="no policy can allow it: something failed inside the proxy")
    if reason.kind is Kind.SUBJECT:
        return NOTHING._replace(note="no policy can allow it: the credential is not good")
    return NOTHING._replace(note="no rule is asked about it: the destination or the connection is refused")


# -- rules --------------------------------------------------------------------------------------------------------


def _by_rule(denial: Fields, params: list[Any]) -> Remedy:
    name = denial.get("operation")
    if not name:
        return _by_path(denial, params)
    name = str(name)
    operation = load_catalog().find(name)
    if operation is None or operation.name == "oidc.token":
        return NOTHING._replace(note="this version's catalogue has no such operation")
    names = list(dict.fromkeys([name, *_read_as(denial)]))
    return Remedy(_allow(denial), names, "; ".join(filter(None, map(_risk, names))))


def _read_as(denial: Fields) -> list[str]:
    """The operations that a call is in its readings, as far as the log has its path."""
    try:
        readings = read_target(str(denial.get("path")).encode()).readings
    except (Refused, UnicodeError):
        return []
    readings = on_host(readings, str(denial.get("server_address")))
    found = (operation_table().match(str(denial.get("method")), each.route) for each in readings)
    return [rule.text for rule in found if rule is not None and not rule.messages]


def _by_path(denial: Fields, params: list[Any]) -> Remedy:
    rule = _path_rule(str(denial.get("method")), str(denial.get("path")))
    if rule is None:
        return NOTHING._replace(
            note="the log does not have the whole path, or no one rule is for it in all its readings (brickscope explain)"
        )
    return Remedy(
        _allow(denial), [rule], "the catalogue does not know this call, so nobody can say what it does"
    )


def _path_rule(method: str, path: str) -> str | None:
    """The rule for exactly this path; None if there is none, or the log has the path clipped or redacted."""
    try:
        readings = read_target(path.encode()).readings
        text = f"{method} /{'/'.join(readings[0].segments)}"
        rule = parse_rule(text)
    except (Refused, TemplateError, UnicodeError):
        return None
    literal = all(isinstance(segment, Literal) for segment in rule.template.segments)
    table = RuleTable([rule])
    matches = all(table.match(method, each.segments, each.route) is not None for each in readings)
    return text if literal and matches and not path.endswith("...") else None


def _by_constraint(denial: Fields, params: list[Any]) -> Remedy:
    """A rule for the very values of the calls: it does not widen what other values may do."""
    name = str(denial.get("operation"))
    operation = load_catalog().find(name)
    if operation is None:
        return NOTHING._replace(note="this version's catalogue has no such operation")
    where = _where(params)
    names = denial.get("param_names")
    if where is None or (not where and names is None):
        return NOTHING._replace(
            note="write where: by hand: the log has digests of the values, not the values"
        )
    item: dict[str, Any] = {"operation": name}
    problems: list[str] = []
    for key, value in where.items():
        parse_constraint(operation, key, value, lambda message, _: problems.append(message))
    if problems:
        return NOTHING._replace(note="write where: by hand: the values can't be written as they are")
    if where:
        item["where"] = where
    if isinstance(names, list):
        # A rule that has `only` looked at the names of all parameters: without it the new one would be wider.
        item["only"] = sorted(set(map(str, names)) - {key.partition(".")[0] for key in where})
    return Remedy(_allow(denial), [item], _risk(name))


def _where(params: list[Any]) -> dict[str, Any] | None:
    """The tests that hold for just these values; None if the log does not tell all of them."""
    if not all(isinstance(each, dict) for each in params) or len(params) > MAX_VALUES:
        return None
    keys = list(params[0])
    if any(list(each) != keys for each in params):
        return None
    where: dict[str, Any] = {}
    for key in keys:
        values: list[Any] = []
        for value in (each[key] for each in params):
            values += [value] if value not in values else []
        # Two parameters with two values each would allow four pairs where two were asked for.
        if len(values) > 1 and (len(keys) > 1 or not all(map(_is_plain, values))):
            return None
        test = values if len(values) > 1 else _test(values[0])
        if test is None:
            return None
        where[key] = test
    return where


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int)


def _test(value: Any) -> Any:
    if value is None:
        return {"absent": True}
    if _is_plain(value):
        return value
    if isinstance(value, list):
        return value if value and all(map(_is_plain, value)) else None
    if isinstance(value, dict) and list(value) == ["keys"] and isinstance(value["keys"], list):
        return {"only": value["keys"]}
    return None


def _allow(denial: Fields) -> tuple[str, ...]:
    return ("rule_sets", str(denial.get("rule_set")), "allow")


def _risk(name: str) -> str:
    operation = load_catalog().find(name)
    if operation is None or operation.kind in ("read", "write"):
        return ""
    return f"{name} is of class {operation.kind}" + (f": {operation.risk}" if operation.risk else "")


# -- bindings -----------------------------------------------------------------------------------------------------


def _no_deny(denial: Fields, params: list[Any]) -> Remedy:
    return NOTHING._replace(
        note=f"a deny rule wins over every allow: rule set {denial.get('rule_set')}, "
        f"deny, {to_yaml(denial.get('rule'))}"
    )


def _later(denial: Fields, params: list[Any]) -> Remedy:
    return NOTHING._replace(note=f"a later expires: for {denial.get('subject')}, or none")


def _from_client(denial: Fields, params: list[Any]) -> Remedy:
    return Remedy((str(denial.get("subject")), "clients"), [str(denial.get("client_address"))])


def _to_workspace(denial: Fields, params: list[Any]) -> Remedy:
    host, workspace = denial.get("server_address"), denial.get("workspace") or denial.get("host_workspace")
    return Remedy(
        (str(denial.get("subject")), "workspaces"), [f"{host}?o={workspace}" if workspace else str(host)]
    )


def _with_grant(denial: Fields, params: list[Any]) -> Remedy:
    return Remedy((str(denial.get("subject")), "grants"), [str(denial.get("grant"))])


# -- subjects -----------------------------------------------------------------------------------------------------

_STRANGER = "whose it is has to be known first; NEW-NAME and RULE-SET are yours to choose"


def _new_token(denial: Fields, params: list[Any]) -> Remedy:
    token = {"fingerprint": denial.get("fingerprint"), "rule_set": "RULE-SET"}
    return Remedy(("tokens",), {"NEW-NAME": token}, _STRANGER)


def _new_principal(denial: Fields, params: list[Any]) -> Remedy:
    claims = denial.get("principal")
    if not isinstance(claims, dict) or not (claims.get("client_id") or claims.get("sub")):
        return NOTHING._replace(note="the log does not name whose token it is")
    client, sub = claims.get("client_id"), claims.get("sub")
    if claims.get("tenant"):
        note = f"{_STRANGER}; TENANT is the name under tenants: of {claims.get('tenant')}"
        entry = {"tenant": "TENANT", "object_id": claims.get("object_id"), "rule_set": "RULE-SET"}
        group = "service_principals" if sub == claims.get("object_id") else "users"
        return Remedy((group,), {"NEW-NAME": entry}, note)
    if sub is None or sub == client:
        entry = {"client_id": client, "rule_set": "RULE-SET"}
        return Remedy(("service_principals",), {"NEW-NAME": entry}, _STRANGER)
    # A user's token tells its application as well, which is the same for everybody who uses it.
    entry = {"sub": sub, "rule_set": "RULE-SET", "workspaces": [denial.get("server_address")]}
    return Remedy(("users",), {"NEW-NAME": entry}, _STRANGER)


def _new_client(denial: Fields, params: list[Any]) -> Remedy:
    claims = denial.get("principal")
    client = claims.get("client_id") if isinstance(claims, dict) else None
    if not client:
        return NOTHING._replace(note="the token request names no client: see logins: in docs/identity.md")
    entry = {"client_id": client, "rule_set": "RULE-SET"}
    return Remedy(("service_principals",), {"NEW-NAME": entry}, _STRANGER)


def _new_credential(denial: Fields, params: list[Any]) -> Remedy:
    return NOTHING._replace(note="the client has to send a token: Authorization: Bearer TOKEN")


# -- destinations -------------------------------------------------------------------------------------------------


def _option(note: str) -> _Finder:
    return lambda denial, params: NOTHING._replace(note=note)


_BY_REASON: dict[Reason, _Finder] = {
    Reason.NO_RULE_MATCHES: _by_rule,
    Reason.UNKNOWN_OPERATION: _by_path,
    Reason.CONSTRAINT_NOT_MET: _by_constraint,
    Reason.DENIED_BY_RULE: _no_deny,
    Reason.EXPIRED: _later,
    Reason.CLIENT_NOT_ALLOWED: _from_client,
    Reason.WORKSPACE_NOT_ALLOWED: _to_workspace,
    Reason.GRANT_NOT_ALLOWED: _with_grant,
    Reason.UNKNOWN_TOKEN: _new_token,
    Reason.UNKNOWN_PRINCIPAL: _new_principal,
    Reason.UNKNOWN_CLIENT: _new_client,
    Reason.MISSING_CREDENTIAL: _new_credential,
    Reason.UNSUPPORTED_CREDENTIAL: _new_credential,
    Reason.HOST_NOT_IN_SCOPE: _option(
        "the option scope_hosts names the Databricks hosts that are under policy"
    ),
    Reason.OTHER_HOST: _option("the option scope_other_hosts=tunnel lets other hosts pass, unread"),
    Reason.ADDRESS_NOT_ALLOWED: _option(
        "the option scope_allow_addresses names private addresses that may be reached"
    ),
}
