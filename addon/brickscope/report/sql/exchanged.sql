-- Credentials behind placeholders
-- Who used which: subjects hold a placeholder, for which the proxy sends the credential with their allowed calls.
SELECT
    entrusted AS "Credential",
    subject AS "Subject | name | nobody: the credential itself was shown",
    sum(records) AS "Calls | n",
    sum(denied) AS "Denied | n",
    count(DISTINCT client_address) AS "Clients | n",
    min(first_seen) AS "First call | when",
    max(last_seen) AS "Last call | when"
FROM by_exchange
WHERE event = 'decision' AND entrusted IS NOT NULL
GROUP BY entrusted, subject
ORDER BY entrusted, sum(records) DESC, subject
