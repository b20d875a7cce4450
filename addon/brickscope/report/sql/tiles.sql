-- The numbers at the top of the page, each with its words.
SELECT
    CAST(coalesce(sum(records), 0) AS BIGINT) AS "Calls",
    CAST(coalesce(sum(records - denied - sent), 0) AS BIGINT) AS "Allowed",
    CAST(coalesce(sum(denied), 0) AS BIGINT) AS "Denied",
    CAST(coalesce(sum(sent), 0) AS BIGINT) AS "Would be denied (monitor)",
    count(DISTINCT subject) AS "Subjects",
    count(DISTINCT operation) AS "Operations",
    (SELECT count(DISTINCT client_address) FROM by_caller WHERE event = 'decision') AS "Client addresses",
    (SELECT count(DISTINCT coalesce(policy_revision, '')) FROM by_revision WHERE event IS NOT NULL) AS "Policy revisions"
FROM by_call
WHERE event = 'decision'
