-- Addresses that subjects called from
SELECT
    min(first_seen) AS "First call | when",
    {
        'value': client_address,
        'badge': CASE
            WHEN NOT $compared THEN NULL
            WHEN NOT EXISTS (FROM earlier AS e WHERE e.client_address IS NOT DISTINCT FROM c.client_address) THEN 'new address'
            WHEN NOT EXISTS (
                FROM earlier AS e WHERE e.client_address IS NOT DISTINCT FROM c.client_address AND e.subject = c.subject
            ) THEN 'new for it'
        END
    } AS "Client | name | not known",
    subject AS "Subject",
    sum(records) AS "Calls | n",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n",
    max(last_seen) AS "Last call | when"
FROM by_caller AS c
WHERE event = 'decision' AND subject IS NOT NULL
GROUP BY client_address, subject
ORDER BY 1 DESC, client_address, subject
