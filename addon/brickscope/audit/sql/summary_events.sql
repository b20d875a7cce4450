-- What the log holds, by kind of record. A row without event: lines that could not be read.
--
-- Reads audit_facts (facts.sql). Runs unchanged on DuckDB and Spark SQL.
SELECT
    event,
    CAST(sum(records) AS BIGINT) AS records,
    CAST(sum(CASE WHEN decision = 'deny' THEN records ELSE 0 END) AS BIGINT) AS denied,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM audit_facts
GROUP BY event
ORDER BY records DESC, event NULLS FIRST
