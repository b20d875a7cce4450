-- Hosts
-- Calls go to hosts under policy. A tunnel is a connection to another host; what passes through it is not read.
SELECT
    server_address AS "Host | name | not known",
    CASE WHEN event = 'tunnel' THEN 'tunnel: ' || coalesce(reason, '–') ELSE 'calls' END AS "What | text",
    sum(records) AS "Calls or connections | n",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n",
    min(first_seen) AS "First | when",
    max(last_seen) AS "Last | when"
FROM by_server
WHERE event IN ('decision', 'tunnel')
GROUP BY 1, 2
ORDER BY 2, 3 DESC, 1
