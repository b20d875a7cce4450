-- Reasons
SELECT
    reason AS "Reason | name | no reason given",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n",
    count(DISTINCT subject) AS "Subjects | n",
    reason AS "What it means | text",
    max(last_seen) AS "Last | when"
FROM by_call
WHERE event = 'decision' AND decision = 'deny'
GROUP BY reason
ORDER BY sum(records) DESC, reason
