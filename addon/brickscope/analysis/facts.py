"""What a record tells of a call, as the decision function takes it: a request, and the parameters that rules looked at.

A record holds no query and no body. It holds the parameters that rules looked at then, in full or as keyed digests; with
those the call is made again (query and JSON body), and whatever a rule asks beyond them makes the call not replayable.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.core.body import Number
from brickscope.core.constraint import Constraint
from brickscope.core.decision import Refused
from brickscope.core.grant import TokenRequest, is_token_request
from brickscope.core.hostname import is_hostname
from brickscope.core.path import Reading, on_host, read_target
from brickscope.core.policy import Grant, RuleSet
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest
from brickscope.core.rule import METHODS, WEBSOCKET
from brickscope.log.key import DigestKey
from brickscope.log.record import MAX_TEXT, REDACTED

from .call import Call
from .placement import as_text, envelope

MATCHES_NOTHING = "\ufffdnot in the log"
"""Stands for a value of which the log has a digest that is none of the values that rules name."""
PART = "part of "
"""Before the name of a parameter of which the log has too little to say anything."""
NOT_TOLD = "[not in the log]"
"""Stands for a value of which the log has the name."""


class NotReplayable(Exception):
    """The record does not tell what the policy asks; the message says what."""


UNKNOWN_METHOD = "unknown/method"
"""Stands for a JSON-RPC method that the catalogue does not know."""


class Facts(NamedTuple):
    """A call out of the log. ``body``: made of the parameters that the log has; None where it does not tell what is in one.
    ``told``: names of parameters whose values it has, or of which it knows that the call lacks them. ``names``: of all
    parameters, None where it has not those. ``digests``: those that it has as digests only; ``keyed``: whether these were
    held against what rules name. ``asked``: of a token request, what for."""

    request: ApiRequest
    body: bytes | None
    told: frozenset[str]
    names: frozenset[str] | None
    digests: frozenset[str]
    keyed: bool
    asked: TokenRequest | None

    @property
    def call(self) -> Call:
        """It as the decision function is asked about it."""
        return Call("", self.request, self.body or b"", self.asked)


def read_facts(record: Mapping[str, Any], rule_set: RuleSet | None, key: DigestKey | None) -> Facts:
    """The facts of a decision record, for a subject that has ``rule_set`` under the policy it is judged by.

    ``key``: makes digests, to recognise values that rules name. Raises NotReplayable.
    """
    path, host, method = (str(record.get(name) or "") for name in ("path", "server_address", "method"))
    if REDACTED in path or (len(path) >= MAX_TEXT and path.endswith("...")):
        raise NotReplayable("the path is incomplete in the log: it was redacted or clipped")
    if not path or method not in (*METHODS, WEBSOCKET) or not is_hostname(host):
        raise NotReplayable("the record names no method, host or path that a call can have")
    why = next((each for each in _FLAWS if each == record.get("reason")), None)
    flaw = None if why is None else Refused(why, str(record.get("detail")))
    try:
        readings = on_host(_readings(path), host)
    except Refused as refused:
        readings, flaw = (), refused
    workspace = record.get("workspace")
    try:
        query, body, digests = _parameters(record, rule_set, key)
    except UnicodeError:  # half of a surrogate pair
        raise NotReplayable("the record has text that no client can send") from None
    params, names = record.get("params") or {}, record.get("param_names")
    content = _content(record, readings, method, body)
    has_body = bool(content) or record.get("has_body") is True
    request = ApiRequest(
        method,
        host,
        path,
        tuple(
            each._replace(query=query if each.query is None else f"{each.query}&{query}") for each in readings
        )
        if query
        else readings,
        query or None,
        None,
        "application/json",
        len(content or b""),
        "",
        workspace if isinstance(workspace, str) else None,
        has_body,
        "",
        has_body,
        flaw,
    )
    asked = _asked(record)
    if asked is None and is_token_request(request):
        raise NotReplayable("the log does not tell which token was asked for")
    return Facts(
        request,
        content,
        frozenset(params),
        None if names is None else frozenset(map(str, names)),
        frozenset(digests),
        key is not None,
        asked,
    )


def _asked(record: Mapping[str, Any]) -> TokenRequest | None:
    """What a token request asked for; its parameters are fields of its form."""
    grant, principal = record.get("grant"), record.get("principal")
    if grant not in [each.value for each in Grant]:
        return None
    client = principal.get("client_id") if isinstance(principal, Mapping) else None
    fields = tuple((record.get("params") or {}).items())
    return TokenRequest(Grant(grant), client if isinstance(client, str) else None, fields)


def _content(
    record: Mapping[str, Any], readings: tuple[Reading, ...], method: str, body: dict[str, Any]
) -> bytes | None:
    """The body of a call. Of several in one body the log has one only, and of an unread one nothing."""
    if record.get("batch") is not None:
        raise NotReplayable("the body held several calls, of which the log has one only")
    operation = load_catalog().operations.get(str(record.get("operation")))
    if operation is not None:
        whole = envelope(operation, body)
        return _with_numbers(whole) if whole else b""
    called = operation_table().match(method, readings[0].route) if readings else None
    if called is None or not called.messages:
        return b""
    if record.get("reason") == Reason.UNKNOWN_OPERATION:
        return _with_numbers({"jsonrpc": "2.0", "id": 1, "method": UNKNOWN_METHOD})
    return None


@lru_cache(maxsize=65_536)
def _readings(path: str) -> tuple[Reading, ...]:
    return read_target(path.encode("utf-8", "replace"))


_FLAWS = (Reason.QUERY_NOT_CANONICAL, Reason.HEADER_FORBIDDEN, Reason.MULTIPLE_CREDENTIALS)
"""What no rule could allow about the head of a call, whoever asks. Of one denied for another reason the log does not tell
it."""


def _parameters(
    record: Mapping[str, Any], rule_set: RuleSet | None, key: DigestKey | None
) -> tuple[str, dict[str, Any], set[str]]:
    operation = load_catalog().operations.get(str(record.get("operation")))
    query: list[str] = []
    body: dict[str, Any] = {}
    digests: set[str] = set()
    told = [record.get(name) or {} for name in ("params", "params_sent")]
    names = record.get("param_names")
    if not all(isinstance(each, dict) for each in told) or not isinstance(names, list | None):
        raise NotReplayable("the record has parameters that no record has")
    if operation is None:
        return "", body, digests
    values: dict[str, Any] = told[0] | told[1]
    known = {name.partition(".")[0] for name in values}
    # Of the others a rule with `only` knows the name, and asks no more.
    values |= {str(name): NOT_TOLD for name in names or () if name not in known}
    for said, logged in values.items():
        name = operation.way(said)
        first, *below = operation.keys_of(said)
        place = operation.place(name) or operation.place(first)
        if logged is None or place == "path":
            continue
        tests = [constraint.test for constraint, _ in constraints_on(rule_set, operation.name, said)]
        candidates = [str(value) for test in tests for value in test.one_of or ()]
        value = _value(said, logged, candidates, key, digests)
        if place == "query":
            query.append(f"{quote(name, safe='.')}={quote(as_text(value), safe='')}")
        elif place == "body" and name in operation.body:
            body[name] = value
        elif place == "body":
            _put(body, [first, *below], value)
        elif record.get("method") == "GET":
            query.append(f"{quote(name, safe='.')}={quote(NOT_TOLD)}")  # a parameter that the API has not
        else:
            body[name] = value
    return "&".join(query), body, digests


def _value(
    name: str, logged: Any, candidates: Iterable[str], key: DigestKey | None, digests: set[str]
) -> Any:
    """A value as it came, as far as the log has it."""
    if isinstance(logged, list):
        return [_value(name, each, candidates, key, digests) for each in logged]
    if not isinstance(logged, Mapping):
        return logged
    if "elements" in logged or any(str(each).startswith("hmac_sha256:") for each in logged.get("keys", ())):
        digests.add(f"{PART}{name}")
        return MATCHES_NOTHING
    if "keys" in logged:
        return dict.fromkeys(map(str, logged["keys"]), NOT_TOLD)
    if "number" in logged:
        return Number(logged["number"])
    digest = logged.get("hmac_sha256")
    digests.add(name)
    if key is not None:
        for candidate in candidates:
            if key.digest(candidate) == digest:
                return candidate
    return MATCHES_NOTHING


def constraints_on(rule_set: RuleSet | None, operation: str, name: str) -> list[tuple[Constraint, bool]]:
    """The constraints of a rule set on a parameter of an operation, each with whether its rule denies."""
    if rule_set is None:
        return []
    return [
        (constraint, denies)
        for rules, denies in ((rule_set.operations, False), (rule_set.denied_operations, True))
        for rule in rules.get(operation, ())
        for constraint in rule.where
        if constraint.name == name
    ]


def _put(body: dict[str, Any], keys: list[str], value: Any) -> None:
    if isinstance(value, list) and None in value and len(keys) > 1:
        # None stands for an element that lacks it: an object of its own for each.
        elements = body.setdefault(keys[0], [{} for _ in value])
        if not isinstance(elements, list) or len(elements) != len(value):
            raise NotReplayable(f"the log has {'.'.join(keys)!r} in two forms")
        for element, each in zip(elements, value, strict=True):
            if each is not None:
                _put(element, keys[1:], each)
        return
    for at in keys[:-1]:
        below = body.setdefault(at, {})
        if not isinstance(below, dict):
            raise NotReplayable(f"the log has {'.'.join(keys)!r} in two forms")
        body = below
    body[keys[-1]] = value


def _with_numbers(value: Any) -> bytes:
    """JSON in which numbers stand as they were written."""
    if isinstance(value, dict):
        parts = [json.dumps(name).encode() + b":" + _with_numbers(each) for name, each in value.items()]
        return b"{" + b",".join(parts) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_with_numbers, value)) + b"]"
    return value.encode() if isinstance(value, Number) else json.dumps(value).encode()
