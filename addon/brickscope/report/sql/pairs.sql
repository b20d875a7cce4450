-- What each of them called
SELECT
    c.subject AS "Subject | name | no subject",
    c.operation AS "Operation | name | not in the catalogue",
    sum(records) AS "Calls | n",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n",
    coalesce(any_value(failed), 0) AS "Failed | n",
    any_value(received) AS "Received | bytes",
    min(first_seen) AS "First call | when",
    max(last_seen) AS "Last call | when"
FROM by_call AS c
LEFT JOIN by_end AS e ON c.subject IS NOT DISTINCT FROM e.subject AND c.operation IS NOT DISTINCT FROM e.operation
WHERE event = 'decision'
GROUP BY c.subject, c.operation
ORDER BY sum(sum(records)) OVER (PARTITION BY c.subject) DESC, c.subject NULLS LAST, sum(records) DESC, c.operation NULLS LAST
