-- What bypass.sql could judge: the events of governed identities, by action, and how many lie outside the log's time.
--
-- `kind` as in operation_actions.sql; null: an action that is not there, which bypass.sql takes for any call. `too_new`: events
-- that wait for the log, which ends at `log_ends`. Reads what bypass.sql reads. Runs unchanged on DuckDB and Spark SQL.
WITH covered AS (
    SELECT min(time) AS begins, max(time) - INTERVAL '1' HOUR AS ends, max(time) AS log_ends
    FROM audit_records
    WHERE event IS NOT NULL
),
kinds AS (
    SELECT service_name, action_name, min(kind) AS kind FROM operation_actions GROUP BY service_name, action_name
)
SELECT
    e.service_name,
    e.action_name,
    k.kind,
    count(*) AS events,
    CAST(sum(CASE WHEN e.event_time BETWEEN c.begins AND c.ends THEN 1 ELSE 0 END) AS BIGINT) AS judged,
    CAST(sum(CASE WHEN e.event_time < c.begins THEN 1 ELSE 0 END) AS BIGINT) AS too_old,
    CAST(sum(CASE WHEN e.event_time > c.ends THEN 1 ELSE 0 END) AS BIGINT) AS too_new,
    min(e.event_time) AS first_event,
    max(e.event_time) AS last_event,
    max(c.log_ends) AS log_ends
FROM system_access_audit AS e
CROSS JOIN covered AS c
LEFT JOIN kinds AS k ON k.service_name = e.service_name AND k.action_name = e.action_name
WHERE
    lower(coalesce(nullif(e.user_identity.email, ''), e.user_identity.subject_name))
    IN (SELECT lower(identity) FROM governed_identities)
GROUP BY e.service_name, e.action_name, k.kind
ORDER BY events DESC, e.service_name, e.action_name
