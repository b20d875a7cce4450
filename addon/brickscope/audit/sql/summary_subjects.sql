-- Who called. A row without subject: callers that the policy does not name.
--
-- Reads audit_facts (facts.sql). Sent are `allowed` and `denied_sent`: what monitor mode denied, it sent anyway.
-- Runs unchanged on DuckDB and Spark SQL.
SELECT
    subject,
    rule_set,
    CAST(sum(records) AS BIGINT) AS calls,
    CAST(sum(CASE WHEN decision = 'allow' THEN records ELSE 0 END) AS BIGINT) AS allowed,
    CAST(sum(CASE WHEN decision = 'deny' AND NOT enforced THEN records ELSE 0 END) AS BIGINT) AS denied_sent,
    CAST(sum(CASE WHEN decision = 'deny' AND enforced THEN records ELSE 0 END) AS BIGINT) AS denied,
    count(DISTINCT operation) AS operations,
    count(DISTINCT client_address) AS clients,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM audit_facts
WHERE event = 'decision'
GROUP BY subject, rule_set
ORDER BY calls DESC, subject NULLS FIRST, rule_set NULLS FIRST
