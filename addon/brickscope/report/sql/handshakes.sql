-- TLS handshakes that failed
SELECT
    side AS "Refused by | text",
    server_address AS "Host",
    client_address AS "Client",
    cause AS "Likely cause",
    count(*) AS "Times | n",
    detail AS "Details | text",
    min(time) AS "First | when",
    max(time) AS "Last | when"
FROM report_events
WHERE event = 'tls_refused'
GROUP BY ALL
ORDER BY 5 DESC, detail
