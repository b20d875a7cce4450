-- How much everything of a policy is used (unused.sql, which stands in the braces). The rules of a preset, which was one line
-- of the policy, are one. DuckDB only.
SELECT kind, name, rule_set, list, CAST(sum(calls) AS BIGINT), min(first_seen), max(last_seen),
    count(*) AS parts, count(*) FILTER (calls > 0) AS used
FROM (
    SELECT *, kind = 'rule' AND starts_with(rule, 'preset ') AS of_preset, row_number() OVER () AS place,
        coalesce(subject, CASE WHEN of_preset THEN split_part(rule, ':', 1) ELSE rule END, rule_set) AS name,
    FROM ({})
)
GROUP BY kind, name, rule_set, list, of_preset ORDER BY of_preset, min(place)
