"""Records as events of the Open Cybersecurity Schema Framework, by ``ocsf.yaml``.

A call is API Activity (6003) with the security_control profile, a tunnel or failed handshake Network Activity (4001), a
change of the policy Entity Management (3004), start and stop Application Lifecycle (6002), a gap Application Error (6008).
"""

from typing import Any

from .content import Facts, Record, activity, fill, find_facts, load, rest, things

VERSION: str = load("ocsf")["fields"]["metadata.version"][1:]
"""Of the schema, by whose definitions the tests check."""
_ALERT = 3
"""The severity from which on an event is an alert."""


def ocsf_event(record: Record, outcome: Record | None = None) -> dict[str, Any] | None:
    """One event; None for a record that the schema has no class for. ``outcome``: how a call has ended, if that is known.

    Raises KeyError, TypeError or ValueError for a record that is none of this log's.
    """
    kind, table = record["event"], load("ocsf")
    if kind not in table["classes"]:
        return None
    facts = find_facts(record, outcome if kind == "decision" else None)
    if kind == "decision":
        facts |= _call(facts)
    elif kind == "tunnel":
        facts |= {
            "activity": [1, "Open"] if facts["sent"] else [5, "Refuse"],
            "result": "success" if facts["sent"] else "failure",
        }
    else:
        result = "failure" if record.get("loaded") is False else "success"
        facts |= {"result": result, "level": 1, "reason": None}
    facts |= table["classes"][kind]
    if kind in ("decision", "tunnel"):
        facts |= _control(facts, table)
    class_uid, class_name, *_ = facts["class"]
    activity_id, activity_name = facts["activity"]
    problems = record.get("problems")
    facts |= {
        "time_ms": int(facts["began"].timestamp() * 1000),
        "type": (
            class_uid * 100 + activity_id,
            f"{class_name}: {activity_name if activity_id != 99 else 'Other'}",
        ),
        "severity": (facts["level"], table["severities"][facts["level"]]),
        "status_said": table["statuses"][facts["result"]],
        "log_version": str(record["schema"]),
        "problem_lines": "\n".join(problems) if problems else None,
        "nobody": None if record.get("client_address") or record.get("server_address") else "unknown",
    }
    return {**fill("ocsf", facts), "unmapped": rest("ocsf", record, facts["outcome"])}


def _control(facts: Facts, table: dict[str, Any]) -> Facts:
    """What the proxy did about it."""
    allowed = "allowed" if facts["decision"] == "allow" else "observed"
    named = facts.get("rule_set") is not None or facts.get("policy_revision") is not None
    return {
        "done": table["control"][allowed if facts["sent"] else "denied"],
        "is_alert": facts["level"] >= _ALERT,
        "is_applied": facts["enforced"] if named else None,
    }


def _call(facts: Facts) -> Facts:
    subject, fingerprint, identity = facts.get("subject"), facts.get("fingerprint"), facts["identity"]
    method, path, agent = facts.get("method"), facts.get("path"), facts.get("user_agent")
    status, latency = facts["status"], facts["duration_ms"]
    unknown = subject is None and identity is None and fingerprint is None and agent is None
    return {
        "activity": load("ocsf")["activities"][activity(facts)],
        "call": facts.get("operation") or " ".join(filter(None, (method, path))) or "unknown",
        "user_name": "unknown" if unknown else subject,
        # Nobody that the policy knows: what is known of this user is the credential.
        "user_uid": identity or (fingerprint if subject is None else None),
        "user_credential": fingerprint,
        "no_client": None if facts.get("client_address") else "unknown",
        "no_server": None if facts.get("server_address") else "unknown",
        "url_host": facts["server_name"] if path else None,
        # `code` is required of an answer, so without a status there was none.
        "answer_bytes": None if status is None else facts["response_bytes"],
        "answer_latency": None if status is None or latency is None else round(latency),
        "resources": [
            {"type": kind, "uid": uid, "data": {"parameter": name}} for kind, name, uid in things(facts)
        ],
    }
