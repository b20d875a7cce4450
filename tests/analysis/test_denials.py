"""Denials in the order in which a reviewer should look at them, each group once, and none hidden by the number of others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from brickscope.analysis import denials
from brickscope.analysis.denials import Denials, Found, find_denials
from brickscope.audit.queries import query
from brickscope.audit.reader import AuditLog
from brickscope.host.way import PATH

Call = dict[str, Any]


def _call(subject: str | None, operation: str | None = None, path: str = "/x", **more: Any) -> Call:
    """A denied call."""
    reason = more.pop("reason", "no_rule_matches" if subject else "unknown_token")
    return {
        "event": "decision", "decision": "deny", "enforced": True, "mode": "enforce", "reason": reason, "detail": "d",
        "subject": subject, "rule_set": "r" if subject else None, "fingerprint": f"sha256:{subject}", "principal": None,
        "operation": operation, "method": "GET", "path": path, "client_address": "10.0.0.1", "server_address": "h", **more,
    }  # fmt: skip


def _find(folder: Path, calls: Iterable[Call]) -> Found:
    base = {"schema": 1, "time": "2026-11-01T00:00:00Z", "instance": "i", "policy_revision": "p"}
    file = folder / "audit.jsonl"
    lines = (
        json.dumps({**base, "seq": n, "decision_id": f"i-{n:06}", **call}) for n, call in enumerate(calls)
    )
    file.write_text("\n".join(lines))
    with AuditLog([file]) as log:
        return find_denials(log)


def _order(found: Found) -> list[tuple[str | None, str, int]]:
    return [(group.subject, group.what, group.calls) for group in found.groups]


PROBE_PATH = PATH.partition("?")[0]  # queries are not in the log
PROBE = _call(None, path=PROBE_PATH, reason="header_duplicate", fingerprint=None)
LIST, RUN, GRANT, TOKEN = "warehouses.list", "jobs.run_now", "permissions.update", "tokens.create"


@pytest.mark.parametrize(
    ("calls", "order"),
    [
        pytest.param(
            [*[_call("a", LIST)] * 9, *[_call("b", TOKEN)] * 2],
            [("b", TOKEN, 2), ("a", LIST, 9)],
            id="two tokens come before nine lists",
        ),
        pytest.param(
            [*[_call("a", RUN)] * 9, *[_call("a", GRANT)] * 5, _call("a", TOKEN)],
            [("a", TOKEN, 1), ("a", GRANT, 5), ("a", RUN, 9)],
            id="secret before grant before execute",
        ),
        pytest.param(
            [*[_call("a", TOKEN)] * 3, *[_call("b", "secrets.get_secret")] * 2, *[_call("b", TOKEN)] * 2],
            [("b", "secrets.get_secret", 2), ("b", TOKEN, 2), ("a", TOKEN, 3)],
            id="whoever tried most in all comes first, all of it together",
        ),
        pytest.param(
            [*[PROBE] * 7, _call("a", LIST), _call(None, LIST)],
            [("a", LIST, 1), (None, LIST, 1), (None, f"GET {PROBE_PATH}", 7)],
            id="our own doctor comes last",
        ),
        pytest.param(
            [*[PROBE] * 2, *[_call(None, path="/a//b", reason="path_not_canonical", fingerprint=None)] * 2],
            [(None, "GET /a//b", 2), (None, f"GET {PROBE_PATH}", 2)],
            id="and is no stranger",
        ),
        pytest.param(
            [*[PROBE | {"enforced": False}] * 2, _call("a", LIST)],
            [(None, f"GET {PROBE_PATH}", 2), ("a", LIST, 1)],
            id="what was sent is no probe",
        ),
        pytest.param(
            [*[PROBE] * 2, _call(None, path=PROBE_PATH, reason="unknown_token", fingerprint=None)],
            [(None, f"GET {PROBE_PATH}", 1), (None, f"GET {PROBE_PATH}", 2)],
            id="nor what was denied for another reason",
        ),
        pytest.param(
            [*[_call(None, LIST)] * 3, _call(None, TOKEN), *[_call("a", LIST)] * 9],
            [(None, f"{TOKEN} and others", 4), ("a", LIST, 9)],
            id="an unknown token is one row, and as grave as the gravest that it tried",
        ),
        pytest.param(
            [
                *[_call(None, LIST, fingerprint=None, reason="missing_credential")] * 2,
                _call(None, TOKEN, fingerprint=None, reason="missing_credential"),
                *[_call("a", LIST)] * 4,
            ],
            [("a", LIST, 4), (None, f"{TOKEN} and others", 3)],
            id="without a credential nothing was at stake",
        ),
    ],
)
def test_they_are_ranked(calls: list[Call], order: list[tuple[str | None, str, int]], tmp_path: Path) -> None:
    # Two calls of one path are one call: what differs has to.
    paths = {
        LIST: "/lists",
        RUN: "/runs",
        GRANT: "/grants",
        TOKEN: "/tokens",
        "secrets.get_secret": "/secrets",
    }
    given = [call | {"path": paths.get(call["operation"] or "", call["path"])} for call in calls]
    assert _order(_find(tmp_path, given)) == order


def test_tokens_of_an_unknown_principal_are_one_row(tmp_path: Path) -> None:
    principal = {"issuer": "https://h/oidc", "client_id": "c", "sub": "ada@example.com"}
    calls = [
        _call(None, path=f"/{n}", fingerprint=f"sha256:{n}", principal=principal, reason="unknown_principal")
        for n in range(30)
    ]
    (group,) = _find(tmp_path, calls).groups
    assert (group.caller, group.what, group.calls) == ("ada@example.com by client c", "GET /0 and others", 30)
    assert group.remedy.item == {
        "NEW-NAME": {"sub": "ada@example.com", "rule_set": "RULE-SET", "workspaces": ["h"]}
    }


def test_denied_connections_to_other_hosts_stay_apart(tmp_path: Path) -> None:
    tunnel = {"event": "tunnel", "reason": "other_host", "method": None, "path": None, "fingerprint": None}
    calls = [
        _call(None, **tunnel) | {"server_address": host} for host in ("a.example", "b.example", "b.example")
    ]
    assert _order(_find(tmp_path, calls)) == [(None, "b.example", 2), (None, "a.example", 1)]


def test_a_flood_hides_nobody_elses_denials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denials, "MOST", 20)
    flood = [_call("flooder", path=f"/{n}") for n in range(100) for _ in range(2)]
    strangers = [_call(None, fingerprint=f"sha256:{n}") for n in range(100) for _ in range(2)]
    found = _find(tmp_path, [*flood, *strangers, _call("quiet", path="/once"), _call("ada", TOKEN)])
    assert _order(found)[0] == ("ada", TOKEN, 1)
    assert ("quiet", "GET /once", 1) in _order(found)
    assert (len(found.groups), found.total, found.calls) == (20, 202, 402)


def test_the_probe_is_the_doctors() -> None:
    assert f"'{PROBE_PATH}'" in query("denials")


def test_ranking_twice_changes_nothing(tmp_path: Path) -> None:
    calls = [
        _call(name, operation)
        for name in "abc"
        for operation in (LIST, RUN, TOKEN)
        for _ in range(ord(name) % 5)
    ]
    groups: list[Denials] = _find(tmp_path, [*calls, PROBE]).groups
    assert denials.rank(reversed(groups)) == groups
