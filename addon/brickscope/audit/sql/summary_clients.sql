-- Where calls came from.
--
-- Reads audit_facts (facts.sql). Sent are `allowed` and `denied_sent`: what monitor mode denied, it sent anyway.
-- Runs unchanged on DuckDB and Spark SQL.
SELECT
    client_address,
    CAST(sum(records) AS BIGINT) AS calls,
    CAST(sum(CASE WHEN decision = 'allow' THEN records ELSE 0 END) AS BIGINT) AS allowed,
    CAST(sum(CASE WHEN decision = 'deny' AND NOT enforced THEN records ELSE 0 END) AS BIGINT) AS denied_sent,
    CAST(sum(CASE WHEN decision = 'deny' AND enforced THEN records ELSE 0 END) AS BIGINT) AS denied,
    count(DISTINCT subject) AS subjects,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM audit_facts
WHERE event = 'decision'
GROUP BY client_address
ORDER BY calls DESC, client_address NULLS FIRST
