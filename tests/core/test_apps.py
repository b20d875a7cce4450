"""Calls to Databricks Apps: a token goes only to apps that the policy names, and their paths are none of the API's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brickscope.core.decide import decide
from brickscope.core.decision import Decision, Refused
from brickscope.core.issuer import key_source
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Policy
from brickscope.core.reason import Reason
from brickscope.core.request import WireRequest, read_request
from brickscope.policy.load import load_policy
from core.judged import NAME
from core.wire import TOKEN

APP, OTHER = "orders-1234567890123456.aws.databricksapps.com", "evil-6543210987654321.aws.databricksapps.com"
YES, NO_RULE, NOT_MET = Reason.ALLOWED_BY_RULE, Reason.NO_RULE_MATCHES, Reason.CONSTRAINT_NOT_MET
ELSEWHERE, DENIED, UNKNOWN = Reason.WORKSPACE_NOT_ALLOWED, Reason.DENIED_BY_RULE, Reason.UNKNOWN_OPERATION
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "find"}}


def policy(folder: Path, *rules: Any, deny: Any = (), workspaces: Any = None) -> Policy:
    file = folder / "p.yaml"
    subject = {"fingerprint": NAME, "rule_set": "r"} | ({"workspaces": workspaces} if workspaces else {})
    rule_set = {"allow": list(rules)} | ({"deny": list(deny)} if deny else {})
    file.write_text(json.dumps({"version": 1, "tokens": {"agent": subject}, "rule_sets": {"r": rule_set}}))
    return load_policy(file, 0).policy


def judged(known: Policy, host: str, method: str, path: str, body: Any = None) -> Decision:
    raw = b"" if body is None else json.dumps(body).encode()
    fields = [
        (b"Host", host.encode()),
        (b"Authorization", b"Bearer " + TOKEN),
        (b"Content-Type", b"application/json"),
    ]
    if raw:
        fields.append((b"Content-Length", str(len(raw)).encode()))
    request = read_request(
        WireRequest(
            method.encode(), path.encode(), b"", b"HTTP/1.1", fields, host, 443, host, b"http/1.1", not raw
        )
    )
    try:
        return decide(known, request, "10.0.0.1", 0)
    except BodyNeeded:
        return decide(known, request, "10.0.0.1", 0, None, raw)


def on(operation: str, **where: Any) -> dict[str, Any]:
    return {"operation": operation, "where": where}


# allow, host, method, path, body, reason; the subject is bound to no workspace
BY_RULE: dict[str, tuple[list[Any], str, str, str, Any, Reason]] = {
    "an app that a rule names": ([on("apps.request", app=APP)], APP, "GET", "/api/orders", None, YES),
    "its root": ([on("apps.request", app=APP)], APP, "GET", "/", None, YES),
    "another app": ([on("apps.request", app=APP)], OTHER, "GET", "/api/orders", None, NOT_MET),
    "a rule that names no app": (["apps.request"], APP, "GET", "/api/orders", None, NO_RULE),
    "a rule that names any app": (
        [on("apps.request", app={"pattern": "{any...}"})],
        OTHER,
        "GET",
        "/",
        None,
        NO_RULE,
    ),
    "a rule for names that begin so": (
        [on("apps.request", app={"prefix": "orders"})],
        APP,
        "GET",
        "/",
        None,
        NO_RULE,
    ),
    "below a path of the app": (
        [on("apps.request", app=APP, path={"prefix": "/api/"})],
        APP,
        "POST",
        "/api/orders",
        {"a": 1},
        YES,
    ),
    "one path of the app": (
        [on("apps.request", app=APP, path="/api/orders")],
        APP,
        "GET",
        "/api/orders",
        None,
        YES,
    ),
    "beside that path": (
        [on("apps.request", app=APP, path={"prefix": "/api/"})],
        APP,
        "GET",
        "/admin",
        None,
        NOT_MET,
    ),
    "a path rule": (["GET /{path...}"], APP, "GET", "/api/orders", None, NO_RULE),
    "an operation of the workspace's API": (
        ["clusters.list"],
        APP,
        "GET",
        "/api/2.1/clusters/list",
        None,
        NO_RULE,
    ),
    "all that reads": ([{"class": "read"}], APP, "GET", "/api/2.1/clusters/list", None, NO_RULE),
    "all that is there": (["jobs.*", "mcp.*", "apps.*"], APP, "POST", "/mcp", LIST, NO_RULE),
    "tools of an app": ([on("mcp.list_tools", app=APP)], APP, "POST", "/mcp", LIST, YES),
    "tools of an app, with a slash at the end": (
        [on("mcp.list_tools", app=APP)],
        APP,
        "POST",
        "/mcp/",
        LIST,
        YES,
    ),
    "a tool of an app": ([on("mcp.call_tool", app=APP, tool="find")], APP, "POST", "/mcp", CALL, YES),
    "another tool of an app": (
        [on("mcp.call_tool", app=APP, tool="count")],
        APP,
        "POST",
        "/mcp",
        CALL,
        NOT_MET,
    ),
    "tools of another app": ([on("mcp.list_tools", app=APP)], OTHER, "POST", "/mcp", LIST, NOT_MET),
    "tools of a server, sent to an app": (
        [on("mcp.list_tools", server="sql")],
        APP,
        "POST",
        "/mcp",
        LIST,
        NO_RULE,
    ),
    "tools of the workspace, sent to an app": (
        ["mcp.list_tools"],
        APP,
        "POST",
        "/api/2.0/mcp/sql",
        LIST,
        NO_RULE,
    ),
    "an app does not speak for a workspace": (
        ["serving.*"],
        APP,
        "POST",
        "/serving-endpoints/x/invocations",
        {},
        NO_RULE,
    ),
    "where tokens are made, at an app": (
        [on("apps.request", app=OTHER)],
        APP,
        "POST",
        "/oidc/v1/token",
        {},
        NOT_MET,
    ),
}


@pytest.mark.parametrize("case", BY_RULE)
def test_an_app_is_named_by_the_rule(case: str, tmp_path: Path) -> None:
    rules, host, method, path, body, reason = BY_RULE[case]
    assert judged(policy(tmp_path, *rules), host, method, path, body).reason is reason


# allow, workspaces, host, method, path, reason
BOUND: dict[str, tuple[list[Any], list[str], str, str, str, Reason]] = {
    "by name": (["apps.request"], [APP], APP, "GET", "/x", YES),
    "by path": (["GET /x/{path...}"], [APP], APP, "GET", "/x/y", YES),
    "by another path": (["GET /x/{path...}"], [APP], APP, "GET", "/z", NO_RULE),
    "to another app": (["apps.request"], [APP], OTHER, "GET", "/x", ELSEWHERE),
    "to a workspace only": (
        [on("apps.request", app=APP)],
        ["dbc-a1b2c3d4-e5f6.cloud.databricks.com"],
        APP,
        "GET",
        "/x",
        ELSEWHERE,
    ),
    "an operation of the workspace's API": (
        ["clusters.list"],
        [APP],
        APP,
        "GET",
        "/api/2.1/clusters/list",
        NO_RULE,
    ),
}


@pytest.mark.parametrize("case", BOUND)
def test_an_app_is_named_by_what_the_subject_is_bound_to(case: str, tmp_path: Path) -> None:
    rules, workspaces, host, method, path, reason = BOUND[case]
    assert judged(policy(tmp_path, *rules, workspaces=workspaces), host, method, path).reason is reason


@pytest.mark.parametrize(
    ("deny", "path"),
    [
        ("GET /admin/{path...}", "/admin/x"),
        (on("apps.request", app=APP, path={"prefix": "/admin/"}), "/admin/x"),
        (on("apps.request", app=APP, path="/admin"), "/admin"),
        (on("apps.request", app=APP, path="admin/x/"), "/admin/x"),
        ({"class": "execute", "service": "apps"}, "/x"),
    ],
)
def test_a_deny_holds_on_apps(deny: Any, path: str, tmp_path: Path) -> None:
    known = policy(tmp_path, on("apps.request", app=APP), deny=[deny])
    assert judged(known, APP, "GET", path).reason is DENIED


def test_what_an_app_is_named_in_the_path_of_a_workspace_is_no_app(tmp_path: Path) -> None:
    """Nothing that is sent to a workspace can be read as a call to an app."""
    known = policy(tmp_path, on("mcp.list_tools", app=APP), on("apps.request", app=APP))
    host = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
    for path in (f"/https:/{APP}/mcp", f"/{APP}/mcp", "/mcp", f"/%EF%A3%BF/{APP}/mcp"):
        assert judged(known, host, "POST", path, LIST).allow is False


@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-protected-resource/secret", "/.well-known/databricks-config"]
)
def test_nothing_goes_to_an_app_without_a_credential(path: str, tmp_path: Path) -> None:
    """Its makers would read in the path what anybody wants to tell them."""
    fields = [(b"Host", OTHER.encode())]
    wire = WireRequest(b"GET", path.encode(), b"", b"HTTP/1.1", fields, OTHER, 443, OTHER, b"http/1.1", True)
    found = decide(policy(tmp_path, "apps.request"), read_request(wire), "10.0.0.1", 0)
    assert found.reason is Reason.MISSING_CREDENTIAL


def test_the_log_names_the_app(tmp_path: Path) -> None:
    found = judged(policy(tmp_path, on("mcp.call_tool", app=APP, tool="find")), APP, "POST", "/mcp", CALL)
    assert (found.operation, found.params) == ("mcp.call_tool", {"app": APP, "tool": "find"})


def test_an_app_vouches_for_no_token(tmp_path: Path) -> None:
    """Its makers could serve keys of their own below its /oidc."""
    known = policy(tmp_path, "apps.request")
    with pytest.raises(Refused) as caught:
        key_source(known.principals, f"https://{APP}/oidc", APP)
    assert caught.value.reason is Reason.WRONG_ISSUER
