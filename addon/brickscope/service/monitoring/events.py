"""What the operational log tells of: the closed list of event codes, so that an alert need not search in sentences.

``docs/monitoring.md`` has the same list, held against this one by a test; a code is never renamed.
"""

from __future__ import annotations

ENGINE, SUPERVISOR, OTHER = "engine", "supervisor", "other"

EVENTS: dict[str, str] = {
    "started": "The proxy is up: version, policy, log.",
    "start_failed": "The proxy can't start; the message says why and what to do.",
    "listening": "Where something is served.",
    "stopping": "The proxy is about to stop.",
    "option_warning": "An option, or a finding in the policy, that the operator should check.",
    "monitor_mode": "The message lists who is in monitor mode: what the rules deny is sent.",
    "policy_loaded": "An edited policy is in force.",
    "policy_failed": "An edited policy has errors; the last good one stays in force.",
    "keys_unavailable": "The public keys of a token issuer can't be fetched.",
    "credentials_loaded": "The operator's file of credentials (`scope_credentials`) was read again.",
    "credentials_failed": "The edited file of credentials has errors; the last good one stays in force.",
    "credential_unavailable": "A credential behind placeholders can't be obtained; the message says why.",
    "credential_available": "It can be obtained again.",
    "hook_failed": "Something failed inside the proxy; the connection or call was refused.",
    "connection_lost": "A connection could not be served, and was closed.",
    "tls_refused": "A TLS handshake was refused, by a client or by the proxy; the message has the likely cause.",
    "parent_proxy": "The parent proxy (`scope_parent_proxy`) did not connect to a host.",
    "balancer_refused": "A load balancer's connection came without a valid PROXY header.",
    "unrecorded": "A call was denied, or a record lost, because it could not be written to the audit log.",
    "audit_key": "Which key signs the audit log.",
    "audit_failing": "The audit log can't be written; every call is denied.",
    "audit_recovered": "The audit log is written again.",
    "audit_damaged": "The end of the audit log is not where it was when the proxy last ran.",
    "audit_moved": "The audit log's file was deleted or moved away; a new one was begun.",
    "audit_upkeep": "Rotation, compression, retention or a sync of the audit log failed.",
    "metrics_failed": "A count failed; some metrics are wrong from now on.",
    "status_failed": "A page of the status server failed.",
    SUPERVISOR: "A worker was started, ended, or could not be started.",
    ENGINE: "A message of mitmproxy or of Python.",
    OTHER: "A message of Brickscope without a code of its own.",
}
