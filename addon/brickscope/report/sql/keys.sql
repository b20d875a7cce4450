-- Public keys of token issuers
SELECT
    url AS "Issuer's keys",
    CASE WHEN fetched THEN 'yes' ELSE 'no' END AS "Fetched | text",
    count(*) AS "Times | n",
    detail AS "Details | text",
    min(time) AS "First | when",
    max(time) AS "Last | when"
FROM report_events
WHERE event = 'key_set'
GROUP BY ALL
ORDER BY 2, 3 DESC, 1
