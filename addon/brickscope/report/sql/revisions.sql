-- Policy revisions
-- A revision is the hash of what the policy means; two of equal name are the same policy.
SELECT
    policy_revision AS "Revision | name | before any policy",
    min(first_seen) AS "First record | when",
    max(last_seen) AS "Last record | when",
    coalesce(sum(records) FILTER (event = 'decision'), 0) AS "Calls decided | n"
FROM by_revision
WHERE event IS NOT NULL
GROUP BY ALL
ORDER BY 2
