-- What was denied, grouped by what it would take to allow it.
--
-- Reads audit_records (the log's columns). Columns that do not matter for a reason are null, so that calls which the same
-- change would allow are one row; those that no rule allows, one for each path, since a rule may name its object. `rule`: what
-- would allow it where a rule is all that lacks; of `denied_by_rule`, the rule that denies. `sent`: calls that monitor mode let go on. A caller that the policy does not name is one row for each
-- reason, whatever it called: `operations` and `first_call` to `last_call` say what. `probe`: calls of `brickscope doctor`. A row without
-- reason counts lines that could not be read. Runs unchanged on DuckDB and Spark SQL.
SELECT
    subject,
    rule_set,
    reason,
    CASE WHEN named THEN operation END AS operation,
    CASE
        WHEN reason IN ('no_rule_matches', 'unknown_operation', 'constraint_not_met')
            THEN coalesce(operation, method || ' ' || path)
        WHEN reason = 'denied_by_rule' THEN rule
    END AS rule,
    CASE WHEN named AND (operation IS NULL OR reason = 'no_rule_matches') THEN method END AS method,
    CASE WHEN named AND (operation IS NULL OR reason = 'no_rule_matches') THEN path END AS path,
    CASE WHEN reason = 'constraint_not_met' THEN params END AS params,
    CASE WHEN reason = 'constraint_not_met' THEN param_names END AS param_names,
    CASE WHEN subject IS NULL AND principal IS NULL THEN fingerprint END AS fingerprint,
    CASE WHEN subject IS NULL THEN principal END AS principal,
    CASE WHEN reason = 'client_not_allowed' THEN client_address END AS client_address,
    CASE
        WHEN reason IN ('workspace_not_allowed', 'unknown_principal') OR event = 'tunnel' THEN server_address
    END AS server_address,
    CASE WHEN reason = 'workspace_not_allowed' THEN coalesce(workspace, host_workspace) END AS workspace,
    CASE WHEN reason = 'grant_not_allowed' THEN r.grant END AS asked_grant,
    probe,
    count(*) AS calls,
    CAST(sum(CASE WHEN enforced THEN 0 ELSE 1 END) AS BIGINT) AS sent,
    count(DISTINCT client_address) AS clients,
    CASE
        WHEN count(operation) > 0
            THEN array_sort(array_agg(DISTINCT operation) FILTER (WHERE operation IS NOT NULL))
    END AS operations,
    min(time) AS first_seen,
    max(time) AS last_seen,
    max(detail) AS detail,
    min(coalesce(method || ' ' || path, server_address)) AS first_call,
    max(coalesce(method || ' ' || path, server_address)) AS last_call,
    max(r.server_address) AS last_host,
    max(decision_id) AS example
FROM (
    SELECT
        *,
        subject IS NOT NULL OR event = 'tunnel' AS named,
        coalesce(path = '/api/2.0/brickscope-doctor' AND reason = 'header_duplicate', false) AS probe
    FROM audit_records
) AS r
WHERE decision = 'deny' OR event IS NULL
GROUP BY ALL
