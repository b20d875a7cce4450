-- Tokens that were used
-- OAuth tokens are new every hour, and shown by whom they name.
SELECT
    min(first_seen) AS "First call | when",
    subject AS "Subject",
    {
        'value': known_by(credential, principal),
        'notes': CASE WHEN principal IS NOT NULL THEN ['OAuth'] ELSE [] END,
        'badge': CASE WHEN $compared AND NOT EXISTS (
            FROM earlier AS e
            WHERE e.credential IS NOT DISTINCT FROM c.credential AND e.principal IS NOT DISTINCT FROM c.principal
        ) THEN 'new' END
    } AS "Token",
    sum(records) AS "Calls | n",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n",
    max(last_seen) AS "Last call | when"
FROM by_caller AS c
WHERE event = 'decision' AND subject IS NOT NULL AND coalesce(credential, principal) IS NOT NULL
GROUP BY credential, principal, subject
ORDER BY 1 DESC, 2
