-- How many gaps, policy edits that did not load, and runs that have no end.
SELECT count(*) FILTER (kind = 'gap'), count(*) FILTER (kind = 'failed_reload'),
    (SELECT count(DISTINCT instance) - count(DISTINCT instance) FILTER (event = 'stop') FROM by_run WHERE event IS NOT NULL)
FROM report_events
