-- Operations
-- By the names of the official SDK. Classes: read changes nothing, write changes things, execute runs code, SQL or compute, grant changes who may act or from where, secret returns or creates a credential, a secret or a signed link.
SELECT
    operation AS "Operation | name | not in the catalogue",
    NULL AS "Class | badge",
    sum(records) AS "Calls | n",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n",
    count(DISTINCT subject) AS "Subjects | n",
    coalesce(any_value(failed), 0) AS "Failed | n | – | Answers of 400 and above, and calls that broke",
    any_value(received) AS "Received | bytes",
    any_value(longest) AS "Longest | ms",
    max(last_seen) AS "Last call | when"
FROM by_call
LEFT JOIN (
    SELECT operation AS e, sum(failed) AS failed, sum(received) AS received, max(longest) AS longest FROM by_end GROUP BY e
) ON e IS NOT DISTINCT FROM operation
WHERE event = 'decision'
GROUP BY operation
ORDER BY sum(records) DESC, operation NULLS LAST
