-- How the calls of each subject and operation ended. Each id counts once among the decisions: in a forged log a million of
-- either with one id would be a million squared.
SELECT subject, operation, count(*) FILTER (o.error IS NOT NULL OR o.status IS NULL OR o.status >= 400) AS failed,
    sum(response_bytes) AS received, max(duration_ms) AS longest
FROM (SELECT decision_id, duration_ms, response_bytes, error, status FROM outcomes) AS o
JOIN (
    SELECT decision_id, any_value(subject) AS subject, any_value(operation) AS operation
    FROM decisions WHERE sent GROUP BY decision_id
) AS d USING (decision_id)
GROUP BY subject, operation
