-- Why it was decided so.
--
-- Reads audit_facts (facts.sql). Sent are `allowed` and `denied_sent`: what monitor mode denied, it sent anyway.
-- `several_readings`: calls that servers could read in several ways; `respelled`: calls that name an object in another
-- spelling than rules compare.
-- Runs unchanged on DuckDB and Spark SQL.
SELECT
    reason,
    CAST(sum(records) AS BIGINT) AS calls,
    CAST(sum(CASE WHEN decision = 'allow' THEN records ELSE 0 END) AS BIGINT) AS allowed,
    CAST(sum(CASE WHEN decision = 'deny' AND NOT enforced THEN records ELSE 0 END) AS BIGINT) AS denied_sent,
    CAST(sum(CASE WHEN decision = 'deny' AND enforced THEN records ELSE 0 END) AS BIGINT) AS denied,
    CAST(sum(CASE WHEN several_readings THEN records ELSE 0 END) AS BIGINT) AS several_readings,
    CAST(sum(CASE WHEN respelled THEN records ELSE 0 END) AS BIGINT) AS respelled,
    count(DISTINCT subject) AS subjects,
    count(DISTINCT operation) AS operations,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM audit_facts
WHERE event = 'decision'
GROUP BY reason
ORDER BY calls DESC, reason NULLS FIRST
