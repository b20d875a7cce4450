-- What of a policy is used: each subject, rule set and rule with its calls and the last of them.
--
-- Reads audit_facts (facts.sql) and audit_policy: `kind` (subject, rule_set, rule), `subject` (of a subject), `rule_set`,
-- and of a rule `list` (allow, deny) and `rule`, its text as in the log. What is not used has no `last_seen`, or an old one.
-- A subject counts as used by any call; a rule by a call that it allowed or denied.
-- Runs unchanged on DuckDB and Spark SQL.
WITH subjects AS (
    SELECT subject, sum(records) AS calls, min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM audit_facts
    WHERE event = 'decision' AND subject IS NOT NULL
    GROUP BY subject
),
rule_sets AS (
    SELECT rule_set, sum(records) AS calls, min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM audit_facts
    WHERE event = 'decision' AND rule_set IS NOT NULL
    GROUP BY rule_set
),
rules AS (
    SELECT
        rule_set,
        decision,
        rule,
        sum(records) AS calls,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen
    FROM audit_facts
    WHERE event = 'decision' AND rule IS NOT NULL
    GROUP BY rule_set, decision, rule
)
SELECT
    p.kind,
    p.subject,
    p.rule_set,
    p.list,
    p.rule,
    CAST(coalesce(s.calls, t.calls, u.calls, 0) AS BIGINT) AS calls,
    coalesce(s.first_seen, t.first_seen, u.first_seen) AS first_seen,
    coalesce(s.last_seen, t.last_seen, u.last_seen) AS last_seen
FROM audit_policy AS p
LEFT JOIN subjects AS s ON p.kind = 'subject' AND p.subject = s.subject
LEFT JOIN rule_sets AS t ON p.kind = 'rule_set' AND p.rule_set = t.rule_set
LEFT JOIN rules AS u
    ON p.kind = 'rule' AND p.rule_set = u.rule_set AND p.list = u.decision AND p.rule = u.rule
ORDER BY p.kind, p.rule_set NULLS FIRST, p.subject NULLS FIRST, p.list NULLS FIRST, p.rule NULLS FIRST
