-- The calls of a subject, alike ones of one day together, and why they are no evidence. evidence.py puts in whose they are and the reasons.
CREATE OR REPLACE TEMP TABLE learned AS
WITH calls AS (
    SELECT d.*, o.decision_id IS NOT NULL AS ended, o.status AS answer
    FROM decisions d LEFT JOIN (
        SELECT decision_id, any_value(status) AS status FROM outcomes GROUP BY decision_id
    ) o ON d.decision_id = o.decision_id
    WHERE {who}
), judged AS (
    SELECT *, CASE
        WHEN "grant" IS NOT NULL THEN 'token_request'
        WHEN NOT coalesce(sent, false) THEN 'denied'
        WHEN reason IS NULL OR reason NOT IN {reasons} THEN 'denied_sent'
        WHEN reason = 'unknown_principal' AND principal IS NULL THEN 'denied_sent'
        WHEN NOT ended THEN 'no_outcome'
        WHEN answer IS NULL THEN 'no_answer'
        WHEN answer < 200 OR answer >= 400 THEN 'failed'
    END AS why FROM calls
), whole AS (
    SELECT * REPLACE (
        CASE WHEN why IS NULL THEN method END AS method,
        CASE WHEN why IS NULL THEN path END AS path,
        CASE WHEN why IS NULL THEN params::VARCHAR END AS params,
        CASE WHEN why IS NULL THEN params_sent::VARCHAR END AS params_sent,
        CASE WHEN why IS NULL THEN param_names::VARCHAR END AS param_names,
        CASE WHEN why IS NULL THEN batch::VARCHAR END AS batch,
        CASE WHEN why IS NULL THEN has_body END AS has_body,
        CASE WHEN why IS NULL THEN reason END AS reason,
        CASE WHEN why IS NULL THEN operation END AS operation
    ) FROM judged
)
SELECT row_number() OVER () - 1 AS number, * FROM (
    SELECT why, reason, method, path, operation, params, params_sent, param_names, batch, has_body,
        server_address, workspace, host_workspace, client_address, fingerprint, principal::VARCHAR AS principal, time::DATE AS day,
        count(*) AS calls, min(time) AS first_seen, max(time) AS last_seen
    FROM whole GROUP BY ALL
)
