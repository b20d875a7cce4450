-- Models and tools
-- Calls of models and of tool servers, by the parameters that rules looked at; the log has no others.
SELECT
    subject AS "Subject | name | no subject",
    operation AS "Operation",
    coalesce(params->>'tool', params->>'model', params->>'endpoint', params->>'name')
        AS "Model or tool | name | no rule looked at it",
    coalesce(params->>'server', params->>'app') AS "Server",
    count(*) AS "Calls | n",
    count(*) FILTER (NOT sent) AS "Denied | n",
    count(*) FILTER (sent AND decision = 'deny') AS "Would be denied | n",
    max(time) AS "Last call | when"
FROM decisions
WHERE operation IN (SELECT unnest($calls))
GROUP BY ALL
ORDER BY 5 DESC, 1, 2, 3, 4
