-- A summary of the log: one row for each combination of who, what, from where and why, with its number of records.
--
-- Reads audit_records (the log's columns), once. All questions of `summary` and `unused` are asked of the result,
-- which is to be a table or view named audit_facts. A row without event counts lines that could not be read.
-- Runs unchanged on DuckDB and Spark SQL.
SELECT
    event,
    decision,
    enforced,
    reason,
    subject,
    rule_set,
    rule,
    operation,
    client_address,
    credential,
    readings IS NOT NULL AS several_readings,
    params_sent IS NOT NULL AS respelled,
    CASE WHEN event = 'outcome' THEN status END AS status,
    CASE WHEN event = 'outcome' THEN error IS NOT NULL END AS broken,
    count(*) AS records,
    min(time) AS first_seen,
    max(time) AS last_seen,
    sum(request_bytes) AS request_bytes,
    sum(response_bytes) AS response_bytes,
    sum(duration_ms) AS duration_ms,
    max(duration_ms) AS longest_ms
FROM audit_records
GROUP BY
    event,
    decision,
    enforced,
    reason,
    subject,
    rule_set,
    rule,
    operation,
    client_address,
    credential,
    readings IS NOT NULL,
    params_sent IS NOT NULL,
    CASE WHEN event = 'outcome' THEN status END,
    CASE WHEN event = 'outcome' THEN error IS NOT NULL END
