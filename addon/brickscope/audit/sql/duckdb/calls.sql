-- Calls that are looked for, each with its outcome. First what is looked for, then its outcomes: memory is for what is found
-- and not for all calls. In braces: the condition, and which come last. DuckDB only.
WITH found AS MATERIALIZED (
    SELECT * FROM records WHERE event IN ('decision', 'tunnel') AND {condition} {last}
),
ends AS (
    SELECT decision_id, any_value(status) AS status, any_value(duration_ms) AS duration_ms,
        any_value(request_bytes) AS request_bytes, any_value(response_bytes) AS response_bytes,
        any_value(error) AS error
    FROM outcomes WHERE decision_id IN (SELECT decision_id FROM found) GROUP BY decision_id
)
SELECT found.* REPLACE (
    ends.status AS status, ends.duration_ms AS duration_ms, ends.request_bytes AS request_bytes,
    ends.response_bytes AS response_bytes, ends.error AS error
)
FROM found LEFT JOIN ends USING (decision_id)
