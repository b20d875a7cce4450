-- Runs of the proxy
SELECT
    instance AS "Instance",
    min(first_seen) AS "First record | when",
    max(last_seen) AS "Last record | when",
    concat(
        CASE WHEN bool_or(event = 'stop') THEN 'stopped gracefully' ELSE 'no stop record' END,
        CASE WHEN bool_or(event = 'start') THEN '' ELSE ' (began before)' END
    ) AS "Ended | text",
    any_value(version) AS "Version",
    any_value(mode) AS "Mode at start",
    any_value(fsync) AS "fsync",
    sum(records) AS "Records | n"
FROM by_run
LEFT JOIN (SELECT DISTINCT ON (instance) instance, version, mode, fsync FROM report_events WHERE event = 'start')
    USING (instance)
WHERE event IS NOT NULL
GROUP BY instance
ORDER BY 2, 1
