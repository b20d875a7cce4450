-- How calls that were sent have ended: HTTP status, sizes, time. A row without status: no answer came.
--
-- Reads audit_facts (facts.sql). Runs unchanged on DuckDB and Spark SQL.
SELECT
    status,
    broken,
    CAST(sum(records) AS BIGINT) AS calls,
    CAST(sum(request_bytes) AS BIGINT) AS request_bytes,
    CAST(sum(response_bytes) AS BIGINT) AS response_bytes,
    sum(duration_ms) / sum(records) AS mean_ms,
    max(longest_ms) AS longest_ms,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM audit_facts
WHERE event = 'outcome'
GROUP BY status, broken
ORDER BY calls DESC, status NULLS FIRST, broken
