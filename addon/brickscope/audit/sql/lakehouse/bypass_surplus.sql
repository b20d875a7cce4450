-- Hours in which Databricks saw more of something than the proxies forwarded, from the proxies' own addresses.
--
-- There is no number that a call and its event have in common, so bypass.sql takes an event for a proxied call whenever one
-- was under way. Whoever calls past the proxy from its machine, or from behind the same address, hides behind such calls.
-- Here they are counted: events of an hour against calls that were under way in it, five minutes to either side.
-- A row is a lead and no proof: one call may make several events, and retries inside Databricks make more.
-- Reads what bypass.sql reads. Runs unchanged on DuckDB and Spark SQL.
WITH covered AS (
    SELECT min(time) AS begins, max(time) - INTERVAL '1' HOUR AS ends
    FROM audit_records
    WHERE event IS NOT NULL
),
identities AS (
    SELECT DISTINCT subject, lower(identity) AS identity FROM governed_identities
),
addresses AS (
    SELECT
        lower(split_part(address, '/', 1)) AS address,
        TRY_CAST(split_part(split_part(address, '/', 1), '.', 1) AS BIGINT) * 16777216
        + TRY_CAST(split_part(split_part(address, '/', 1), '.', 2) AS BIGINT) * 65536
        + TRY_CAST(split_part(split_part(address, '/', 1), '.', 3) AS BIGINT) * 256
        + TRY_CAST(split_part(split_part(address, '/', 1), '.', 4) AS BIGINT) AS number,
        pow(2, 32 - coalesce(TRY_CAST(nullif(split_part(address, '/', 2), '') AS INT), 32)) AS size
    FROM known_addresses
    WHERE is_proxy
),
events AS (
    SELECT
        lower(coalesce(nullif(e.user_identity.email, ''), e.user_identity.subject_name)) AS identity,
        e.service_name,
        e.action_name,
        lower(nullif(e.source_ip_address, '')) AS address,
        TRY_CAST(split_part(e.source_ip_address, '.', 1) AS BIGINT) * 16777216
        + TRY_CAST(split_part(e.source_ip_address, '.', 2) AS BIGINT) * 65536
        + TRY_CAST(split_part(e.source_ip_address, '.', 3) AS BIGINT) * 256
        + TRY_CAST(split_part(e.source_ip_address, '.', 4) AS BIGINT) AS number,
        date_trunc('hour', e.event_time) AS hour
    FROM system_access_audit AS e
    INNER JOIN covered AS c ON e.event_time BETWEEN c.begins AND c.ends
),
seen AS (
    SELECT e.identity, e.service_name, e.action_name, e.hour, count(*) AS events
    FROM events AS e
    WHERE
        e.identity IN (SELECT identity FROM identities)
        AND EXISTS (
            SELECT 1
            FROM addresses AS a
            WHERE a.address = e.address OR floor(a.number / a.size) = floor(e.number / a.size)
        )
        AND EXISTS (
            SELECT 1
            FROM operation_actions AS m
            WHERE m.kind = 'call' AND m.service_name = e.service_name AND m.action_name = e.action_name
        )
    GROUP BY e.identity, e.service_name, e.action_name, e.hour
),
calls AS (
    SELECT
        i.identity,
        d.decision_id,
        d.operation,
        d.time - INTERVAL '5' MINUTE AS opens,
        coalesce(o.time, d.time + INTERVAL '1' HOUR) + INTERVAL '5' MINUTE AS closes
    FROM audit_records AS d
    INNER JOIN identities AS i ON d.subject = i.subject
    LEFT JOIN audit_records AS o
        ON o.event = 'outcome' AND o.decision_id = d.decision_id AND o.instance = d.instance
    WHERE d.event = 'decision' AND (d.decision = 'allow' OR NOT d.enforced)
),
counted AS (
    SELECT
        s.identity,
        s.service_name,
        s.action_name,
        s.hour,
        s.events,
        count(DISTINCT c.decision_id) AS calls
    FROM seen AS s
    LEFT JOIN operation_actions AS m
        ON m.kind = 'call' AND m.service_name = s.service_name AND m.action_name = s.action_name
    LEFT JOIN calls AS c
        ON
            c.identity = s.identity
            AND c.operation = m.operation
            AND c.opens < s.hour + INTERVAL '1' HOUR
            AND c.closes >= s.hour
    GROUP BY s.identity, s.service_name, s.action_name, s.hour, s.events
)
SELECT identity, service_name, action_name, hour, events, calls, events - calls AS surplus
FROM counted
WHERE events > calls
ORDER BY surplus DESC, hour, identity, service_name, action_name
