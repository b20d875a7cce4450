"""The cast of the made-up log: a policy, and who calls what how often under it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def digest(text: str) -> str:
    """The fingerprint of a made-up token."""
    return "sha256:" + sha256(text.encode()).hexdigest()


POLICY = f"""\
version: 1
tokens:
  nightly-export:
    fingerprint: {digest("nightly-export")}
    rule_set: catalog-reader
    clients: [10.0.8.0/24]
    expires: 2026-12-15
  bi-dashboards:
    fingerprint: {digest("bi-dashboards")}
    rule_set: warehouse-user
    workspaces: [{HOST}]
  ci-runner:
    fingerprint: {digest("ci-runner")}
    rule_set: deployer
    clients: [10.0.9.0/24, 10.0.10.0/24]
  ml-training:
    fingerprint: {digest("ml-training")}
    rule_set: experimenter
    mode: monitor
  old-migration:
    fingerprint: {digest("old-migration")}
    rule_set: catalog-reader
  support-agent:
    fingerprint: {digest("support-agent")}
    rule_set: support
  orders-agent:
    placeholder: {digest("a placeholder")}
    credential: orders
    rule_set: assistant
service_principals:
  etl:
    client_id: 6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e
    rule_set: job-runner
users:
  ada:
    sub: ada@example.com
    rule_set: warehouse-user
    clients: [10.0.20.0/24]
rule_sets:
  catalog-reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
      - GET /api/2.0/preview/sql/queries
      - tables.list
      - schemas.list
  warehouse-user:
    allow:
      - statement_execution.execute_statement
      - statement_execution.get_statement
      - warehouses.list
      - {{preset: catalog-browser}}
  deployer:
    allow:
      - jobs.list
      - jobs.reset
      - operation: jobs.run_now
        where: {{job_id: [1012, 1013]}}
      - workspace.import_
      - GET /api/2.0/workspace/list
    deny:
      - jobs.delete
  experimenter:
    allow:
      - {{service: experiments, class: read}}
      - {{service: experiments, class: write}}
  job-runner:
    allow:
      - jobs.list
      - jobs.run_now
      - jobs.get_run
      - PUT /api/2.0/fs/files/Volumes/main/{{path...}}
  assistant:
    allow:
      - operation: serving.chat_completions
        where: {{model: databricks-claude-haiku-4-5}}
      - operation: mcp.call_tool
        where: {{server: functions/main/tools, tool: [find_orders, count_orders]}}
  support:
    allow:
      - {{class: read}}
    deny:
      - {{class: secret}}
"""


class Call(NamedTuple):
    """One kind of call. ``weight``: how often among the subject's. ``reason``: why it is denied, None if allowed."""

    method: str
    path: str
    operation: str | None
    weight: float
    rule: str | None = None
    reason: str | None = None
    detail: str = ""
    params: dict[str, Any] | None = None


class Caller(NamedTuple):
    """A subject's habits. ``shape``: office hours, all day, or once a night. ``first``, ``last``: when it calls, as shares
    of the whole time."""

    name: str | None
    rule_set: str | None
    fingerprint: str
    clients: tuple[str, ...]
    agent: str
    a_day: float
    shape: str
    calls: tuple[Call, ...]
    mode: str = "enforce"
    principal: dict[str, str | None] | None = None
    credential: str | None = None
    first: float = 0.0
    last: float = 1.0


def _allow(method: str, path: str, operation: str, weight: float) -> Call:
    return Call(method, path, operation, weight)


def _no_rule(method: str, path: str, operation: str | None, weight: float, rule_set: str) -> Call:
    reason = "no_rule_matches" if operation else "unknown_operation"
    return Call(
        method, path, operation, weight, None, reason, f"rule set '{rule_set}' has no rule that allows it"
    )


CALLERS = (
    Caller(
        "nightly-export",
        "catalog-reader",
        digest("nightly-export"),
        ("10.0.8.14",),
        "databricks-sdk-py/0.162.0",
        150,
        "night",
        (
            _allow("GET", "/api/2.1/unity-catalog/catalogs", "catalogs.list", 3),
            _allow("GET", "/api/2.1/unity-catalog/tables", "tables.list", 9),
            _allow("GET", "/api/2.1/unity-catalog/schemas", "schemas.list", 4),
            _no_rule("GET", "/api/2.0/sql/warehouses", "warehouses.list", 0.5, "catalog-reader"),
        ),
    ),
    Caller(
        "bi-dashboards",
        "warehouse-user",
        digest("bi-dashboards"),
        ("10.0.30.7", "10.0.30.8"),
        "PyDatabricksSqlConnector/4.1.2",
        520,
        "office",
        (
            _allow("POST", "/api/2.0/sql/statements", "statement_execution.execute_statement", 12),
            _allow("GET", "/api/2.0/sql/statements/01ef", "statement_execution.get_statement", 17),
            _allow("GET", "/api/2.0/sql/warehouses", "warehouses.list", 2),
            _no_rule("POST", "/api/2.0/sql/warehouses/ab12/stop", "warehouses.stop", 0.12, "warehouse-user"),
        ),
    ),
    Caller(
        "ci-runner",
        "deployer",
        digest("ci-runner"),
        ("10.0.9.21", "10.0.9.22", "10.0.10.5"),
        "databricks-tf-provider/1.91.0",
        210,
        "office",
        (
            _allow("GET", "/api/2.2/jobs/list", "jobs.list", 6),
            _allow("POST", "/api/2.2/jobs/reset", "jobs.reset", 2),
            _allow("POST", "/api/2.2/jobs/run-now", "jobs.run_now", 3),
            _allow("POST", "/api/2.0/workspace/import", "workspace.import_", 4),
            _allow("GET", "/api/2.0/workspace/list", "workspace.list", 5),
            Call(
                "POST",
                "/api/2.2/jobs/delete",
                "jobs.delete",
                0.15,
                "jobs.delete",
                "denied_by_rule",
                "the rule 'jobs.delete' denies it",
            ),
            Call(
                "POST",
                "/api/2.2/jobs/run-now",
                "jobs.run_now",
                0.4,
                None,
                "constraint_not_met",
                "no rule for jobs.run_now allows job_id 1044",
                {"job_id": 1044},
            ),
            _no_rule("PATCH", "/api/2.0/permissions/jobs/1012", "permissions.update", 0.2, "deployer"),
        ),
    ),
    Caller(
        "etl",
        "job-runner",
        "",
        ("10.0.12.3",),
        "databricks-sdk-py/0.162.0",
        330,
        "all day",
        (
            _allow("POST", "/api/2.2/jobs/run-now", "jobs.run_now", 4),
            _allow("GET", "/api/2.2/jobs/runs/get", "jobs.get_run", 11),
            _allow("PUT", "/api/2.0/fs/files/Volumes/main/raw/day.parquet", "files.upload", 3),
            _no_rule(
                "DELETE", "/api/2.0/fs/files/Volumes/main/raw/day.parquet", "files.delete", 0.3, "job-runner"
            ),
        ),
        principal={
            "issuer": f"https://{HOST}/oidc",
            "client_id": "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e",
            "sub": "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e",
        },
    ),
    Caller(
        "ada",
        "warehouse-user",
        "",
        ("10.0.20.31",),
        "databricks-sdk-go/0.77.0 cli/0.265.0",
        45,
        "office",
        (
            _allow("POST", "/api/2.0/sql/statements", "statement_execution.execute_statement", 5),
            _allow("GET", "/api/2.1/unity-catalog/tables/main.sales.orders", "tables.get", 4),
            _no_rule("GET", "/api/2.0/secrets/get", "secrets.get_secret", 0.2, "warehouse-user"),
        ),
        principal={"issuer": f"https://{HOST}/oidc", "client_id": "databricks-cli", "sub": "ada@example.com"},
    ),
    Caller(
        "ml-training",
        "experimenter",
        digest("ml-training"),
        ("10.0.14.2", "10.0.14.9"),
        "mlflow/3.6.0",
        160,
        "all day",
        (
            _allow("POST", "/api/2.0/mlflow/runs/log-metric", "experiments.log_metric", 14),
            _allow("POST", "/api/2.0/mlflow/runs/create", "experiments.create_run", 2),
            _no_rule(
                "POST",
                "/api/2.0/mlflow/registered-models/create",
                "model_registry.create_model",
                0.8,
                "experimenter",
            ),
        ),
        mode="monitor",
        first=10.3 / 21,
    ),
    Caller(
        "support-agent",
        "support",
        digest("support-agent"),
        ("10.0.40.2",),
        "python-httpx/0.28.1",
        70,
        "office",
        (
            _allow("GET", "/api/2.2/jobs/runs/list", "jobs.list_runs", 5),
            _allow("GET", "/api/2.1/clusters/events", "clusters.events", 3),
            _no_rule("POST", "/api/2.1/clusters/restart", "clusters.restart", 0.6, "support"),
            _no_rule("GET", "/api/2.0/internal/telemetry", None, 0.5, "support"),
        ),
        first=0.86,
    ),
    Caller(
        None,
        None,
        digest("somebody"),
        ("10.0.77.5",),
        "curl/8.14.1",
        9,
        "all day",
        (
            Call(
                "GET",
                "/api/2.0/clusters/list",
                "clusters.list",
                1,
                None,
                "unknown_token",
                f"the policy names no token with the fingerprint {digest('somebody')}",
            ),
            Call(
                "GET",
                "/api/2.0/clusters//list",
                None,
                0.3,
                None,
                "path_not_canonical",
                "the path has an empty segment",
            ),
        ),
        first=0.55,
        last=0.9,
    ),
    Caller(
        "orders-agent",
        "assistant",
        digest("a placeholder"),
        ("10.0.41.6",),
        "openai-python/2.8.1",
        60,
        "office",
        (
            _allow("POST", "/serving-endpoints/chat/completions", "serving.chat_completions", 6)._replace(
                params={"model": "databricks-claude-haiku-4-5"}
            ),
            _allow("POST", "/api/2.0/mcp/functions/main/tools", "mcp.call_tool", 4)._replace(
                params={"server": "functions/main/tools", "tool": "find_orders"}
            ),
            Call(
                "POST",
                "/api/2.0/mcp/functions/main/tools",
                "mcp.call_tool",
                0.3,
                None,
                "constraint_not_met",
                "rule set 'assistant' allows mcp.call_tool only where tool is find_orders or count_orders",
                {"server": "functions/main/tools", "tool": "drop_orders"},
            ),
        ),
        credential="orders",
    ),
)

AGENT = next(caller for caller in CALLERS if caller.name == "support-agent")
CREATE_TOKEN = Call(
    "POST",
    "/api/2.0/token/create",
    "tokens.create",
    0,
    "class secret",
    "denied_by_rule",
    "the rule 'class secret' denies it",
)
DOCTOR = Caller(None, None, "", ("10.0.40.2",), "brickscope-doctor", 0, "", ())
PROBE = Call(
    "GET",
    "/api/2.0/brickscope-doctor",
    None,
    0,
    None,
    "header_duplicate",
    "the workspace is named twice",
)
