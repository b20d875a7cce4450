"""The headers that proven clients send, by name as they were recorded: all of them pass, and only they are excused."""

from __future__ import annotations

import pytest

from brickscope.core.header import EXCUSED, Role, classify, read_layout

# Recorded in a run of tests/clients, but where the source is named.
SENT = {
    "databricks-sdk for Python": "host user-agent accept-encoding accept connection content-type x-databricks-workspace-id "
    "content-length authorization range if-unmodified-since traceparent",
    "databricks-sdk for JavaScript": "accept authorization user-agent host connection",
    "mlflow": "host user-agent accept-encoding accept connection content-type x-mlflow-client-version x-databricks-org-id "
    "content-length authorization",
    "SQL connector for Python, dbt": "host accept-encoding content-type content-length user-agent authorization",
    "SQL connector for Node": "content-type user-agent authorization accept accept-encoding host connection",
    "Databricks Connect": "content-type te grpc-accept-encoding grpc-timeout user-agent x-databricks-cluster-id "
    "x-databricks-org-id spark-connect-operation-id x-databricks-operation-id "
    "x-databricks-last-seen-server-session-version x-databricks-session-id authorization",
    "Delta Sharing": "host user-agent accept-encoding accept connection delta-sharing-capabilities authorization",
    "httpx": "host accept accept-encoding connection user-agent authorization",
    "node's fetch": "host connection authorization accept accept-language sec-fetch-mode user-agent accept-encoding",
    "Java's HttpClient": "authorization user-agent content-length",
    "Go's net/http": "authorization accept-encoding user-agent",
    "curl": "host user-agent accept authorization",
    # openai-python _base_client.py, anthropic-sdk-python _base_client.py
    "openai, anthropic": "host accept content-type user-agent x-stainless-lang x-stainless-package-version x-stainless-os "
    "x-stainless-arch x-stainless-runtime x-stainless-runtime-version x-stainless-async x-stainless-retry-count "
    "x-stainless-read-timeout x-stainless-raw-response x-stainless-helper-method anthropic-version anthropic-beta "
    "idempotency-key authorization content-length",
    # modelcontextprotocol.io, specifications 2025-06-18 and 2026-07-28, Streamable HTTP
    "Model Context Protocol": "host accept content-type user-agent mcp-session-id mcp-protocol-version last-event-id "
    "mcp-method mcp-name authorization content-length",
    # W3C Fetch Metadata; WHATWG Fetch, CORS
    "browsers": "host connection user-agent accept accept-encoding accept-language origin referer sec-fetch-site "
    "sec-fetch-mode sec-fetch-dest sec-fetch-user sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform dnt priority "
    "upgrade-insecure-requests cache-control pragma access-control-request-method access-control-request-headers",
    # grpc-web; openai-python 0.28 api_requestor.py
    "programs that name themselves once more": "host user-agent x-user-agent x-grpc-web x-openai-client-user-agent",
    # Claude Code sends what the Anthropic client does, and these; openai/codex codex-api/src/requests/headers.rs, core/src;
    # google-gemini/gemini-cli core/contentGenerator.ts
    "coding agents": "x-app x-claude-code-session-id session_id originator openai-beta x-codex-turn-metadata "
    "x-openai-subagent x-goog-api-client x-gemini-api-privileged-user-id",
    # its documentation, and the code that it makes for other clients
    "Postman": "host user-agent accept postman-token cache-control accept-encoding connection content-type authorization",
    # pyiceberg catalog/rest.py
    "pyiceberg": "host user-agent accept-encoding accept connection x-client-version x-iceberg-access-delegation "
    "content-type authorization",
    # its utils/headers.yaml, and a run of tests/clients
    "databricks-feature-engineering": "host user-agent accept-encoding accept connection content-type content-length "
    "cluster_id feature-store-method-name feature-store-python-client-version feature-store-python-whl-name "
    "feature-store-python-client-name header-size-exceeded-limit job_id job_run_id job_type notebook_id "
    "dataframe-size-in-bytes is-publish-filter-condition-specified is-streaming is-streaming-checkpoint-specified "
    "num-features num-rows publish_auth_type streaming-trigger total-num-features-in-table write-mode num-tags "
    "is-training-set-label-specified num-on-demand-features-logged num-lines-per-on-demand-feature "
    "feature-spec-graph-map num-features-overridden num-on-demand-features-overridden "
    "num-on-demand-feature-inputs-overridden num-functions num-feature-tables authorization",
}


@pytest.mark.parametrize("client", SENT)
def test_what_a_client_sends_passes(client: str) -> None:
    names = tuple(name.encode() for name in SENT[client].split() if name != "authorization")
    assert read_layout((*names, b"Authorization")).flaw is None


def test_only_what_clients_send_is_excused() -> None:
    sent = {name for names in SENT.values() for name in names.split()}
    assert sent >= EXCUSED


@pytest.mark.parametrize("name", sorted(EXCUSED))
def test_a_name_is_excused_in_its_own_spelling_only(name: str) -> None:
    assert classify(name.title().encode())[1] is Role.PASS
    assert classify(name.translate(str.maketrans("-_", "_-")).encode())[1] is not Role.PASS


@pytest.mark.parametrize(
    "name", ["User_Agent", "x-user", "x-user-agent-override", "x-user-agents-user", "user-agent-id-user"]
)
def test_the_name_of_a_program_excuses_no_other_word(name: str) -> None:
    assert classify(name.encode())[1] is Role.OVERRIDE
