-- Subjects
-- A subject is a token, service principal or user that the policy names. “No subject” are callers that it does not name, and calls that carry no credential by nature.
SELECT
    subject AS "Subject | name | no subject",
    list_sort(list(DISTINCT rule_set) FILTER (rule_set IS NOT NULL))[:13] AS "Rule set | names",
    NULL AS "Over time | spark",
    sum(records) AS "Calls | n",
    sum(denied) AS "Denied | n",
    sum(sent) AS "Would be denied | n | – | Would be denied; sent, since in monitor mode",
    count(DISTINCT operation) AS "Operations | n",
    any_value(clients) AS "Clients | n",
    coalesce(any_value(failed), 0) AS "Failed | n | – | Answers of 400 and above, and calls that broke",
    any_value(received) AS "Received | bytes",
    min(first_seen) AS "First call | when",
    max(last_seen) AS "Last call | when"
FROM by_call AS c
LEFT JOIN (
    SELECT subject AS s, count(DISTINCT client_address) AS clients FROM by_caller WHERE event = 'decision' GROUP BY s
) ON s IS NOT DISTINCT FROM subject
LEFT JOIN (
    SELECT subject AS e, sum(failed) AS failed, sum(received) AS received FROM by_end GROUP BY e
) ON e IS NOT DISTINCT FROM subject
WHERE event = 'decision'
GROUP BY subject
ORDER BY sum(records) DESC, subject NULLS LAST
