"""Calls of official clients and public protocols that no SDK has: each is an operation with a class, its sibling is none."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.cli.main import main

# As a client sends it, the operation, its class. Ids and names are made up.
CALLS = [
    ("POST /databricks.zerobus.Zerobus/EphemeralStream", "zerobus.ephemeral_stream", "write"),
    ("POST /api/2.0/mlflow/traces", "mlflow.traces.start", "write"),
    ("GET /api/3.0/mlflow/traces/tr-1", "mlflow.traces.get_info", "read"),
    ("POST /api/3.0/mlflow/traces", "mlflow.traces.start", "write"),
    ("POST /api/3.0/mlflow/traces/search", "mlflow.traces.search", "read"),
    ("POST /api/4.0/mlflow/traces/main.x", "mlflow.traces.create_in_schema", "write"),
    ("GET /api/2.0/mlflow/traces/tr-1/info", "mlflow.traces.get_info", "read"),
    (
        "POST /api/2.0/mlflow/unity-catalog/registered-models/create",
        "mlflow.unity_catalog.create_registered_model",
        "write",
    ),
    (
        "GET /api/2.0/mlflow/unity-catalog/model-versions/get",
        "mlflow.unity_catalog.get_model_version",
        "read",
    ),
    (
        "POST /api/2.0/mlflow/unity-catalog/model-versions/create",
        "mlflow.unity_catalog.create_model_version",
        "write",
    ),
    ("POST /serving-endpoints/anthropic/v1/messages", "serving.messages", "execute"),
    ("POST /serving-endpoints/gemini/v1beta/models/x:generateContent", "serving.generate_content", "execute"),
    ("GET /ai-gateway/anthropic/v1/models", "gateway.list_models", "read"),
    ("POST /api/2.0/repos/snapshots", "repos.create_snapshot", "write"),
    ("GET /api/2.0/tokens/introspect", "tokens.introspect", "read"),
    ("POST /api/2.0/lakebox/sandboxes", "lakebox.create_sandbox", "execute"),
    ("GET /api/2.0/database/instances/x/databases", "database.list_databases", "read"),
    ("GET /api/2.0/ai-training/workflows", "ai_training.list_workflows", "read"),
    (
        "POST /api/2.0/preview/sql/alerts/abc/refresh-schedules",
        "alerts_legacy.create_refresh_schedule",
        "write",
    ),
    ("GET /api/2.0/sql/config/endpoints", "warehouses.get_workspace_warehouse_config", "read"),
    ("GET /api/2.0/account/scim/v2/Groups", "account_scim.list_groups", "read"),
    ("GET /api/2.0/preview/permissionassignments", "workspace_assignment.list", "read"),
    ("PUT /api/2.0/preview/permissionassignments/principals/123", "workspace_assignment.update", "grant"),
    ("GET /api/2.0/preview/workspace-conf", "workspace.get_legacy_conf", "read"),
    ("POST /api/2.0/fs/create-delete-url", "fs.delete_url", "secret"),
    ("POST /api/2.0/mlflow/unity-catalog/prompts/search", "mlflow.prompts.search", "read"),
    ("GET /api/2.0/mlflow/registered-models/get", "model_registry.get_model", "read"),
    (
        "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk-interval",
        "mlflow.tracking.get_metric_history_bulk_interval",
        "read",
    ),
    (
        "POST /api/2.0/mlflow/logged-models/m-1/artifacts/credentials-for-upload",
        "mlflow.logged_models.get_credentials_for_upload",
        "secret",
    ),
    (
        "GET /api/2.0/mlflow/logged-models/m-1/artifacts/directories",
        "mlflow.logged_models.list_artifacts",
        "read",
    ),
    (
        "POST /api/2.0/mlflow/artifacts/create-multipart-upload",
        "mlflow.artifacts.create_multipart_upload",
        "secret",
    ),
    (
        "POST /api/2.0/mlflow/artifacts/complete-multipart-upload",
        "mlflow.artifacts.complete_multipart_upload",
        "write",
    ),
    ("GET /api/2.0/feature-store/feature-tables/get", "feature_tables.get_feature_table", "read"),
    ("POST /api/2.0/otel/v1/traces", "otel.export_traces", "write"),
    ("GET /api/2.0/lineage-tracking/table-lineage", "lineage.get_table_lineage", "read"),
    ("GET /api/2.0/lineage-tracking/column-lineage", "lineage.get_column_lineage", "read"),
    ("POST /serving-endpoints/x/served-models/y/invocations", "serving.query_served_model", "execute"),
    ("POST /model/my-model/1/invocations", "serving.query_model_version", "execute"),
    ("POST /model/my-model/Production/invocations", "serving.query_model_version", "execute"),
    ("POST /serving-endpoints/anthropic/v1/messages?beta=true", "serving.messages", "execute"),
    (
        "POST /serving-endpoints/gemini/v1beta/models/x:streamGenerateContent?alt=sse",
        "serving.stream_generate_content",
        "execute",
    ),
    ("POST /serving-endpoints/codex/v1/responses", "serving.responses", "execute"),
    ("GET /api/2.0/tiles", "tiles.list", "read"),
    ("GET /api/2.0/multi-agent-supervisors/x", "multi_agent_supervisors.get", "read"),
    ("POST /api/2.0/pipelines/x/reset", "pipelines.reset", "execute"),
    ("PATCH /api/2.0/preview/permissions/jobs/1", "jobs.update_permissions", "grant"),
    (
        "POST /api/2.1/unity-catalog/temporary-model-version-credentials",
        "unity_catalog.generate_temporary_model_version_credential",
        "secret",
    ),
    ("GET /api/2.1/unity-catalog/delta/preview/commits", "delta.get_commits", "read"),
    ("GET /api/2.1/unity-catalog/delta/v1/config", "delta.get_config", "read"),
    ("GET /api/2.1/unity-catalog/delta/v1/catalogs/main/schemas/a/tables/b", "delta.load_table", "read"),
    ("POST /api/2.1/unity-catalog/staging-tables", "unity_catalog.create_staging_table", "write"),
    ("HEAD /api/2.1/unity-catalog/iceberg/v1/namespaces/a", "iceberg.get_namespace_unprefixed", "read"),
    ("GET /api/2.0/search-midtier/unified-search", "workspace.unified_search", "read"),
    ("GET /driver-proxy/o/123/0123-abc/8888/", "driver_proxy.request_root", "execute"),
    ("GET /api/2.0/groups/list", "groups.list_names", "read"),
    ("GET /api/2.0/groups/list-members?group_name=admins", "groups.list_members_by_name", "read"),
    (
        "POST /api/2.0/mlflow/logged-models/m-1/artifacts/credentials-for-download",
        "mlflow.logged_models.get_credentials_for_download",
        "secret",
    ),
    (
        "GET /api/2.0/mlflow/artifacts/get-presigned-upload-part-url",
        "mlflow.artifacts.get_presigned_upload_part_url",
        "secret",
    ),
    ("POST /api/2.0/mlflow/unity-catalog/prompts", "mlflow.prompts.create", "write"),
    ("POST /api/2.0/knowledge-assistants", "knowledge_assistants_legacy.create", "write"),
    ("GET /api/2.0/managed-evals/datasets", "managed_evals.list_datasets", "read"),
    (
        "GET /api/2.1/unity-catalog/delta/v1/catalogs/main/schemas/a/tables/b/credentials",
        "delta.get_table_credentials",
        "secret",
    ),
    # the same families, further calls
    ("GET /api/3.0/mlflow/traces/get?trace_id=tr-1", "mlflow.traces.get", "read"),
    ("DELETE /api/3.0/mlflow/traces/tr-1/assessments/a-1", "mlflow.traces.delete_assessment", "write"),
    ("POST /api/4.0/mlflow/traces/main.x/tr-1/info", "mlflow.traces.create_in_location", "write"),
    ("GET /api/4.0/mlflow/traces/main.x/batchGet", "mlflow.traces.batch_get_in_location", "read"),
    ("POST /api/5.0/mlflow/experiments/1/trace-location:link", "mlflow.traces.link_location", "write"),
    (
        "GET /api/2.0/mlflow/traces/tr-1/credentials-for-data-upload",
        "mlflow.traces.get_credentials_for_data_upload",
        "secret",
    ),
    (
        "POST /api/2.0/mlflow/unity-catalog/model-versions/generate-temporary-credentials",
        "mlflow.unity_catalog.generate_temporary_model_version_credentials",
        "secret",
    ),
    ("DELETE /api/2.0/mlflow/unity-catalog/prompts/p/tags/k", "mlflow.prompts.delete_tag", "write"),
    (
        "GET /api/2.0/mlflow/model-versions/get-signed-download-uri",
        "mlflow.registry.get_model_version_signed_download_uri",
        "secret",
    ),
    ("GET /api/2.0/preview/mlflow/experiments/list", "experiments.list_experiments", "read"),
    ("POST /api/2.0/preview/mlflow/runs/create", "experiments.create_run", "write"),
    ("GET /api/2.0/mlflow/experiments/search", "experiments.search_experiments", "read"),
    ("POST /api/2.0/mlflow/model-versions/transition-stage", "model_registry.transition_stage", "write"),
    ("GET /api/2.1/unity-catalog/iceberg-rest/v1/config?warehouse=main", "iceberg.get_config", "read"),
    (
        "GET /api/2.1/unity-catalog/iceberg-rest/v1/catalogs/main/namespaces/a/tables/t",
        "iceberg.load_table",
        "secret",
    ),
    (
        "HEAD /api/2.1/unity-catalog/iceberg-rest/v1/catalogs/main/namespaces/a/tables/t",
        "iceberg.load_table",
        "secret",
    ),
    (
        "HEAD /api/2.1/unity-catalog/iceberg/v1/catalogs/main/namespaces/a/views/v",
        "iceberg.load_view",
        "read",
    ),
    (
        "POST /api/2.1/unity-catalog/iceberg/v1/catalogs/main/transactions/commit",
        "iceberg.commit_transaction",
        "write",
    ),
    (
        "POST /api/2.1/unity-catalog/iceberg-rest/v1/catalogs/main/namespaces/a/tables/t/sign",
        "iceberg.sign_request",
        "secret",
    ),
    (
        "DELETE /api/2.1/unity-catalog/iceberg/v1/namespaces/a/tables/t",
        "iceberg.drop_table_unprefixed",
        "write",
    ),
    (
        "GET /api/2.1/unity-catalog/delta/v1/temporary-path-credentials",
        "delta.get_temporary_path_credentials",
        "secret",
    ),
    (
        "POST /api/2.1/unity-catalog/delta/v1/catalogs/main/schemas/a/staging-tables",
        "delta.create_staging_table",
        "secret",
    ),
    ("HEAD /api/2.1/unity-catalog/delta/v1/catalogs/main/schemas/a/tables/b", "delta.load_table", "read"),
    ("GET /api/2.0/delta-sharing/metastores/m1/shares", "delta_sharing.list_shares", "read"),
    (
        "POST /api/2.0/delta-sharing/metastores/m1/recipients/r1/shares/s/schemas/a/tables/t/query",
        "delta_sharing.query_table",
        "secret",
    ),
    (
        "HEAD /api/2.0/delta-sharing/metastores/m1/shares/s/schemas/a/tables/t",
        "delta_sharing.get_table_version",
        "read",
    ),
    ("POST /api/2.0/unity-catalog/connections/c/proxy/a/b", "unity_catalog.call_connection", "execute"),
    ("POST /api/2.0/unity-catalog/connections/c/proxy", "unity_catalog.call_connection_root", "execute"),
    ("POST /serving-endpoints/open-responses", "serving.responses", "execute"),
    ("POST /api/2.0/tracing/otel/v1/traces", "otel.export_traces", "write"),
    ("POST /api/2.0/tracing/trace-destinations", "mlflow.traces.create_destination", "write"),
    (
        "GET /api/2.0/tracing/trace-destinations/mlflow-experiments/1",
        "mlflow.traces.get_destination",
        "read",
    ),
    ("GET /api/2.0/account/scim/v2/Me", "account_scim.me", "read"),
    ("GET /api/1.2/clusters/list", "clusters.list", "read"),
    ("DELETE /api/2.0/data-rooms/s/curated-questions/q", "data_rooms.delete_question", "write"),
    (
        "GET /.well-known/oauth-protected-resource/api/2.0/mcp/sql",
        "oidc.discovery_of_resource",
        "read",
    ),
    ("POST /serving-endpoints/anthropic/v1/messages/count_tokens", "serving.count_message_tokens", "execute"),
    ("GET /serving-endpoints/codex/v1/models", "serving.list_models", "read"),
    ("POST /serving-endpoints/openai/v1/embeddings", "serving.embeddings", "execute"),
    ("POST /api/2.0/serving-endpoints/x/invocations", "serving_endpoints.query", "execute"),
    ("POST /0123456789/serving-endpoints/x/invocations", "serving.query_route_optimized", "execute"),
    ("POST /ai-gateway/mlflow/v1/chat/completions", "gateway.chat_completions", "execute"),
    ("POST /ai-gateway/cursor/v1/chat/completions", "gateway.chat_completions", "execute"),
    ("POST /ai-gateway/openai/v1/responses", "gateway.responses", "execute"),
    ("POST /ai-gateway/anthropic/v1/messages", "gateway.messages", "execute"),
    ("POST /ai-gateway/mlflow/v1/embeddings", "gateway.embeddings", "execute"),
    (
        "POST /ai-gateway/gemini/v1beta/models/system.ai.g:streamGenerateContent",
        "gateway.stream_generate_content",
        "execute",
    ),
    ("POST /ai-gateway/routing/v1/routes:select", "gateway.select_route", "execute"),
    ("GET /api/ai-gateway/v2/coding-agent-configs", "gateway.list_coding_agent_configs", "read"),
    ("POST /ai-gateway/mcp-services/main.tools.github", "mcp.call_tool", "execute"),
    ("POST /ai-gateway/skills/", "mcp.call_tool", "execute"),
    ("POST /api/2.0/mcp/functions/main/tools", "mcp.call_tool", "execute"),
    ("GET /api/2.0/workspace-files/list-files?path=%2FUsers", "workspace.list_files", "secret"),
    ("GET /api/2.0/workspace-files/object-info?path=%2FUsers", "workspace.get_object_info", "secret"),
    ("POST /api/2.0/workspace-files/new-files", "workspace.create_files", "secret"),
    ("POST /api/2.0/fs/create-status-url", "fs.status_url", "secret"),
    ("GET /api/2.0/fs/list", "fs.list", "read"),
    ("GET /api/2.0/otel/profiles/p", "otel.get_profile", "read"),
    ("POST /api/2.0/otel/v1/metrics", "otel.export_metrics", "write"),
    ("POST /zerobus/v1/tables/main.a.t/insert", "zerobus.insert", "write"),
    ("POST /databricks.zerobus.Zerobus/PersistentStream", "zerobus.persistent_stream", "write"),
    ("POST /api/2.0/lakebox/ssh-keys", "lakebox.register_ssh_key", "grant"),
    ("GET /api/2.0/ai-training/workflows/by-run-id/1/logs", "ai_training.get_logs", "read"),
    ("GET /api/2.0/ai-compute-manager/images:get", "ai_compute.get_image", "read"),
    ("POST /api/2.0/groups/add-member", "groups.add_member_by_name", "grant"),
    ("DELETE /api/2.0/preview/permissionassignments/principals/1", "workspace_assignment.delete", "grant"),
    ("GET /api/2.0/preview/sql/alerts/a/subscriptions", "alerts_legacy.list_subscriptions", "read"),
    ("POST /api/2.0/data-rooms/tools/onechat/responses", "data_rooms.ask", "execute"),
    ("POST /api/2.0/multi-agent-supervisors/x/chat", "multi_agent_supervisors.chat", "execute"),
    ("POST /api/2.0/feature-store/feature-tables/search", "feature_tables.search_feature_tables", "read"),
    ("GET /api/2.0/managed-evals/experiments/1/reviewQueues", "managed_evals.list_review_queues", "read"),
    ("POST /api/2.0/agents/deployments", "agents.deploy", "write"),
    ("POST /api/2.0/preview/apps/x/deployments", "apps.deploy", "execute"),
    ("GET /api/2.0/accounts/a/budget", "account.budgets.list", "read"),
    ("PATCH /driver-proxy-http/o/0/0123-abc/7777/a", "driver_proxy.request", "execute"),
    (
        "GET /api/2.0/mlflow/unity-catalog/registered-models/get?name=main.a.m",
        "mlflow.unity_catalog.get_registered_model",
        "read",
    ),
    (
        "DELETE /api/2.0/sql/statements/01ef9de3-b0cd-1b40-8e3b-c09e5e227f12",
        "statement_execution.close_statement",
        "write",
    ),
    ("POST /api/2.0/sql/statements/sessions", "sql.sessions", "execute"),
    ("DELETE /api/2.0/sql/statements/sessions/01ef2eec-9591-1693", "sql.close_session", "write"),
    (
        "GET /api/2.0/feature-store/feature-tables/search?max_results=200",
        "feature_tables.list_feature_tables",
        "read",
    ),
    (
        "PATCH /api/2.0/vector-search/indexes/main.docs.pages?update_mask=x",
        "vector_search_indexes.update_index",
        "write",
    ),
    ("POST /api/2.0/serving-endpoints:stageDeployment", "serving.stage_deployment", "write"),
    ("POST /ai-gateway/typesafe/v1/systemone", "gateway.query_judge", "execute"),
    ("POST /api/2.0/rag-studio/chat-assessments", "rag_studio.assess", "execute"),
    ("POST /api/2.0/conversation/proxy/chat/completions", "rag_studio.complete_chat", "execute"),
    ("GET /api/2.0/repos/snapshots/rootpath", "repos.get_snapshot_root", "read"),
    ("DELETE /api/2.0/repos/snapshots/x", "repos.delete_snapshot", "write"),
    ("GET /api/2.0/workspace/list-repo?path=%2FUsers%2Fa", "workspace.list_repo", "read"),
    ("GET /api/2.0/settings-api/workspace/1/serverless_job_nb", "workspace_settings.get_serverless", "read"),
    ("POST /api/2.0/lakesense-v2/chat/completions", "lakesense.complete_chat", "execute"),
    ("POST /api/2.0/lakebox", "lakebox.create", "execute"),
    ("POST /api/2.0/lakebox-keys", "lakebox.register_key", "grant"),
    ("POST /api/2.0/dbfs-async/delete/submit", "dbfs.start_delete", "write"),
    ("POST /api/2.0/pipelines/x/run", "pipelines.run", "execute"),
    ("POST /api/2.0/pipelines/x/start", "pipelines.start", "execute"),
    ("PUT /api/2.0/unity-catalog/permissions/table/main.a.t", "grants.replace", "grant"),
    ("POST /api/2.0/unity-catalog/shares/s/permissions", "shares.update_permissions", "grant"),
    (
        "POST /api/2.0/unity-catalog/pe/temporary-root-access-credentials",
        "unity_catalog.generate_temporary_root_credentials",
        "secret",
    ),
    ("POST /api/2.0/mlflow/traces/assessments", "mlflow.traces.record_feedback", "write"),
    ("POST /ajax-api/4.0/mlflow/traces/search-progressive", "mlflow.traces.search_progressive", "read"),
    (
        "GET /ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files",
        "mlflow.logged_models.get_artifact",
        "read",
    ),
    ("GET /api/3.0/mlflow/server-info", "mlflow.server.get_info", "read"),
    ("GET /api/3.0/mlflow/mcp-servers/x/aliases/latest", "mlflow.mcp_servers.get_by_alias", "read"),
    ("GET /api/3.0/mlflow/mcp-servers/endpoints", "mlflow.mcp_servers.search_endpoints", "read"),
    ("POST /api/3.0/mlflow/skills/bulk-register", "mlflow.skills.register_all", "write"),
    ("POST /api/3.0/mlflow/skills/triage/versions/1/tags", "mlflow.skills.set_version_tag", "write"),
    (
        "POST /api/3.0/mlflow/skills/@acme/triage/versions",
        "mlflow.skills.create_version_of_organization",
        "write",
    ),
]
IDS = [row[0] for row in CALLS]

# Beside calls that are known, and none themselves: nobody listed them, so they are of no operation and no class.
SIBLINGS = [
    "POST /ai-gateway/anything",
    "POST /ai-gateway/anthropic/v1/files",
    "POST /ai-gateway/anthropic/v1/messages/batches",
    "POST /ai-gateway/openai/v1/images/generations",
    "POST /ai-gateway/other/v1/chat/completions",
    "DELETE /ai-gateway/anthropic/v1/models",
    "POST /ai-gateway/gemini/v1beta/models/m:predict",
    "POST /ai-gateway/mcp-services/a/b",
    "POST /ai-gateway/mcp-services",
    "POST /serving-endpoints/anthropic/v1/complete",
    "POST /serving-endpoints/other/v1/messages",
    "GET /serving-endpoints/gemini/v1beta/models/m:generateContent",
    "PUT /api/2.0/mlflow/unity-catalog/prompts/p",
    "POST /api/3.0/mlflow/traces/tr-1",
    "POST /api/6.0/mlflow/traces/search",
    "POST /api/2.0/workspace-files/other-files",
    "POST /api/2.0/fs/create-other-url",
    "POST /api/2.0/otel/v1/profiles",
    "PUT /api/2.1/unity-catalog/iceberg/v1/namespaces/a",
    "GET /api/2.1/unity-catalog/iceberg/v2/namespaces/a",
    "POST /api/2.1/unity-catalog/iceberg-rest/v1/catalogs/main/namespaces/a/tables/t/other",
    "GET /api/2.1/unity-catalog/delta/v2/config",
    "GET /api/2.0/delta-sharing/metastores/m1/shares/s/other",
    "POST /databricks.zerobus.Zerobus/Other",
    "POST /api/2.0/lakebox/other",
    "HEAD /api/2.0/jobs/run-now",
]


def find(call: str) -> str | None:
    method, _, target = call.partition(" ")
    path = target.partition("?")[0].rstrip("/")
    found = operation_table().match(method, path[1:].split("/"))
    return None if found is None else found.text


@pytest.mark.parametrize(("call", "name", "kind"), CALLS, ids=IDS)
def test_a_call_of_a_client_is_an_operation_with_a_class(call: str, name: str, kind: str) -> None:
    assert find(call) == name
    operation = load_catalog().operations[name]
    assert operation.kind == kind
    assert operation.source not in ("", "test")


@pytest.mark.parametrize(("call", "name", "kind"), CALLS, ids=IDS)
def test_the_search_finds_it(call: str, name: str, kind: str) -> None:
    result = CliRunner().invoke(main, ["catalog", "search", "--json", *call.split(" ", 1)])
    assert result.exit_code == 0, result.output
    found = [(entry["name"], entry["class"]) for entry in json.loads(result.output)]
    # A tool server's address is of several operations: which one, the body says.
    assert found[:1] == [(name, kind)]
    assert len(found) == 1 or {entry.partition(".")[0] for entry, _ in found} == {"mcp"}


@pytest.mark.parametrize("call", SIBLINGS)
def test_what_nobody_listed_is_no_operation(call: str) -> None:
    assert find(call) is None


def test_the_model_has_one_name_wherever_the_call_says_it() -> None:
    """So that one limit fits each provider's shape; in generateContent the path says it."""
    named = re.compile(r"(serving|gateway)\.(?!query_|endpoint_|select_route)")
    calls = [
        operation
        for operation in load_catalog().operations.values()
        if operation.kind == "execute" and named.match(operation.name)
    ]
    assert len(calls) == 22
    for operation in calls:
        place = (
            "path" if operation.name.rpartition(".")[2].endswith(("content", "content_tokens")) else "body"
        )
        assert operation.place("model") == place, operation.name


def test_a_server_of_the_gateway_has_the_name_of_no_other() -> None:
    templates = load_catalog().operations["mcp.call_tool"].calls
    assert "POST /api/2.0/mcp/{server...}" in templates
    assert "POST /ai-gateway/{server=mcp-services/*}" in templates
    assert not any(call.endswith("/{server}") for call in templates)
