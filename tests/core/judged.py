"""Policies of rules by name as literals, and calls judged by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from brickscope.core.decide import decide
from brickscope.core.decision import Decision
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Policy
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from brickscope.policy.load import load_policy
from core.wire import TOKEN, h1, h1_headers

NAME = fingerprint(TOKEN)


def policy(folder: Path, *rules: Any, deny: Any = ()) -> Policy:
    content = {
        "version": 1,
        "tokens": {"ci": {"fingerprint": NAME, "rule_set": "r"}},
        "rule_sets": {"r": {"allow": list(rules), **({"deny": list(deny)} if deny else {})}},
    }
    file = folder / "p.yaml"
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return load_policy(file, 0).policy


def judged(known: Policy, method: str, target: str, body: Any = None, *more: tuple[bytes, bytes]) -> Decision:
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = h1_headers(*more, *([(b"Content-Length", str(len(raw)).encode())] if raw else []))
    request = read_request(h1(method.encode(), target.encode(), fields))
    try:
        return decide(known, request, "10.0.0.1", 0)
    except BodyNeeded:
        return decide(known, request, "10.0.0.1", 0, None, raw)


RUN = "/api/2.2/jobs/run-now"
ONE: dict[str, Any] = {"operation": "jobs.run_now", "where": {"job_id": [1012, 1013]}}
ALLOWED, NOT_MET = Reason.ALLOWED_BY_RULE, Reason.CONSTRAINT_NOT_MET
TWICE, MISPLACED = Reason.PARAMETER_TWICE, Reason.PARAMETER_MISPLACED


def run_now(where: Any, **more: Any) -> dict[str, Any]:
    return {"operation": "jobs.run_now", "where": where, **more}
