"""Records as events of the Elastic Common Schema, by ``ecs.yaml``.

Fields that the schema lacks stay under ``brickscope``, by their own names; a custom object of one's product is how the
schema wants that done.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from brickscope.audit.plain import plain

from .content import Facts, Record, activity, fill, find_facts, instant, load, rest

VERSION: str = load("ecs")["fields"]["ecs.version"][1:]
"""Of the schema, by whose definitions the tests check."""
_TYPES = {"create": "creation", "read": "access", "update": "change", "delete": "deletion"}


def ecs_event(record: Record, outcome: Record | None = None) -> dict[str, Any]:
    """One document. ``outcome``: how a call that was let go on has ended, if that is known.

    Raises KeyError, TypeError or ValueError for a record that is none of this log's.
    """
    facts = find_facts(record, outcome)
    kind, fingerprint, server = record["event"], record.get("fingerprint"), facts["server_name"]
    said = _decided(facts) if kind in ("decision", "tunnel") else _other(facts)
    made = fill("ecs", facts | {
        "time": plain(facts["began"]),
        "users": [each for each in dict.fromkeys((record.get("subject"), facts["identity"])) if each],
        "addresses": [each for each in dict.fromkeys((facts["client_ip"], facts["server_ip"])) if each],
        "hosts": [server] if server else [],
        "hashes": [fingerprint.removeprefix("sha256:")] if fingerprint else [],
        **said,
        **_ended(facts["began"], outcome),
    })  # fmt: skip
    own = rest("ecs", record, facts["outcome"])
    for name in ("params", "params_sent"):
        if isinstance(own.get(name), Mapping):
            # Text: a client that sends a number here and a name there would else make fields of two types, and
            # Elasticsearch refuses the document that comes second.
            own[name] = json.dumps(own[name], sort_keys=True)
    return {**made, "brickscope": {"event": kind, **own}}


def _decided(facts: Facts) -> Facts:
    is_call = facts["event"] == "decision"
    what = _TYPES.get(activity(facts), "info") if is_call else "connection"
    return {
        "category": ["api"] if is_call else ["network"],
        "types": [what, "allowed" if facts["sent"] else "denied"],
        "action": facts.get("operation") or ("api_call" if is_call else "tunnel"),
        "result": facts["result"] if is_call or not facts["sent"] else "unknown",
        "why": facts["reason"],
        "message": facts["detail"],
    }


def _other(facts: Facts) -> Facts:
    kind = facts["event"]
    category, types, message = load("ecs")["events"].get(kind, ([], [], kind))
    if kind == "reload" and not facts.get("loaded"):
        message = "the policy does not load; the one before stays"
    failed = kind in ("tls_refused", "gap") or False in (facts.get("loaded"), facts.get("fetched"))
    return {
        "category": category,
        "types": types,
        "action": kind,
        "result": "failure" if failed else "success",
        "why": facts.get("cause"),
        "message": facts.get("detail") or message,
    }


def _ended(began: datetime, outcome: Record | None) -> Facts:
    if outcome is None:
        return {}
    duration = outcome.get("duration_ms")
    if duration is None:
        return {"started": plain(began), "ended": plain(instant(outcome["time"]))}
    ended, nanoseconds = began + timedelta(milliseconds=duration), round(duration * 1_000_000)
    return {"started": plain(began), "ended": plain(ended), "nanoseconds": nanoseconds}
