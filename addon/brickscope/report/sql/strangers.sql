-- Callers that the policy did not name
SELECT
    nullif(known_by(credential, principal), '') AS "Known by | name | no credential that could be read",
    list_sort(list(DISTINCT client_address))[:13] AS "Clients | names",
    sum(records) AS "Calls | n",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n",
    min(first_seen) AS "First | when",
    max(last_seen) AS "Last | when"
FROM by_caller
WHERE event = 'decision' AND subject IS NULL AND denied + sent > 0
GROUP BY credential, principal
ORDER BY sum(records) DESC, credential, principal
