-- Subjects without a call for long
SELECT
    subject AS "Subject",
    max(last) AS "Last call | when | none in this log",
    date_sub('day', max(last), $until) AS "Days ago | n",
    CASE WHEN NOT $asked THEN 'not asked' WHEN bool_or(named) THEN 'yes' ELSE 'no' END AS "In the policy | text"
FROM (
    SELECT subject, last_seen AS last, false AS named FROM by_call WHERE event = 'decision' AND subject IS NOT NULL
    UNION ALL SELECT subject, last, false FROM earlier
    UNION ALL SELECT subject, NULL, true FROM audit_policy WHERE kind = 'subject'
)
GROUP BY subject
HAVING max(last) IS NULL OR max(last) < $border
ORDER BY 2 NULLS FIRST, 1
