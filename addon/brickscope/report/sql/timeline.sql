-- Events
SELECT
    time AS "Time (UTC) | when",
    title AS "What happened | text",
    details AS "Details | text",
    policy_revision AS "Revision",
    instance AS "Instance"
FROM report_events
WHERE kind IS NOT NULL
ORDER BY time, instance, seq
