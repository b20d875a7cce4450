-- Answers by HTTP status
SELECT
    CAST(status AS VARCHAR) AS "Status | name | no answer",
    records AS "Calls | n",
    CASE WHEN broken THEN 'yes' ELSE 'no' END AS "Interrupted | text",
    coalesce(request_bytes, 0) AS "Sent | bytes",
    coalesce(response_bytes, 0) AS "Received | bytes",
    longest_ms AS "Longest | ms"
FROM by_status
WHERE event = 'outcome'
ORDER BY records DESC, status
