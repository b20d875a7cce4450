-- Gaps that the log records
SELECT
    time AS "Time (UTC) | when",
    title AS "What happened | text",
    details AS "Details | text",
    instance AS "Instance"
FROM report_events
WHERE kind = 'gap'
ORDER BY time, instance, seq
