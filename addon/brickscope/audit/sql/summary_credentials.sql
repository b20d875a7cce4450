-- Who used which credential behind a placeholder. A row without subject: somebody had the real credential itself.
--
-- Reads audit_facts (facts.sql). Allowed calls were sent with the credential; there is nothing in `denied_sent`, as no
-- denied call of a placeholder is sent in any mode. Runs unchanged on DuckDB and Spark SQL.
SELECT
    credential,
    subject,
    CAST(sum(records) AS BIGINT) AS calls,
    CAST(sum(CASE WHEN decision = 'allow' THEN records ELSE 0 END) AS BIGINT) AS allowed,
    CAST(sum(CASE WHEN decision = 'deny' AND NOT enforced THEN records ELSE 0 END) AS BIGINT) AS denied_sent,
    CAST(sum(CASE WHEN decision = 'deny' AND enforced THEN records ELSE 0 END) AS BIGINT) AS denied,
    count(DISTINCT operation) AS operations,
    count(DISTINCT client_address) AS clients,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM audit_facts
WHERE event = 'decision' AND credential IS NOT NULL
GROUP BY credential, subject
ORDER BY calls DESC, credential, subject NULLS FIRST
