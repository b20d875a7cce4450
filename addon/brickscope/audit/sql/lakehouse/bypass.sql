-- Calls of governed principals that reached Databricks, and that no proxy has in its log.
--
-- Reads audit_records, system_access_audit (a view of system.access.audit), operation_actions, and three tables that you
-- fill: governed_identities (subject, identity: the e-mail address or application id that Databricks knows it by),
-- known_addresses (address, name, is_proxy: an address or IPv4 network as Databricks sees it), workspaces (host,
-- workspace_id; may be empty). docs/lakehouse.md says what a row proves and what it does not.
--
-- verdict, strongest first:
--   other_address  it came from an address that is none of the proxies'
--   no_call        it came from a proxy's address, or from none that is known, and within five minutes no call of this
--                  identity was let on, in this workspace where the workspace of the host is known
--   no_such_call   as before, but such calls there were, only none of the operations that make this event
-- Judged are events of the time that the log covers, without the last hour, in which another proxy's files may be late.
-- Clocks may differ by the five minutes; a call without an outcome counts as under way for an hour. Both are written below, once.
-- `refused_before`: within the hour before, a proxy denied this identity such a call.
-- Runs unchanged on DuckDB and Spark SQL.
WITH covered AS (
    SELECT min(time) AS begins, max(time) - INTERVAL '1' HOUR AS ends
    FROM audit_records
    WHERE event IS NOT NULL
),
identities AS (
    SELECT DISTINCT subject, lower(identity) AS identity FROM governed_identities
),
-- When which identity had a call under way; `*` stands for any operation, and for a workspace that is not known.
spans AS (
    SELECT
        CASE WHEN d.decision = 'allow' OR NOT d.enforced THEN 'sent' ELSE 'refused' END AS what,
        i.identity,
        coalesce(d.operation, '*') AS operation,
        coalesce(d.workspace, d.host_workspace, CAST(w.workspace_id AS STRING), '*') AS workspace,
        d.time - INTERVAL '5' MINUTE AS opens,
        CASE
            WHEN d.decision = 'deny' AND d.enforced THEN d.time + INTERVAL '1' HOUR
            ELSE coalesce(o.time, d.time + INTERVAL '1' HOUR) + INTERVAL '5' MINUTE
        END AS closes
    FROM audit_records AS d
    INNER JOIN identities AS i ON d.subject = i.subject
    LEFT JOIN audit_records AS o
        ON o.event = 'outcome' AND o.decision_id = d.decision_id AND o.instance = d.instance
    LEFT JOIN workspaces AS w ON lower(w.host) = lower(d.server_address)
    WHERE d.event = 'decision'
),
spans_and_any AS (
    SELECT what, identity, operation, workspace, opens, closes FROM spans
    UNION ALL
    SELECT what, identity, '*' AS operation, workspace, opens, closes FROM spans WHERE operation <> '*'
),
-- Spans that touch become one, so that an event meets a few of them however busy the identity is.
marked AS (
    SELECT
        what,
        identity,
        operation,
        workspace,
        opens,
        closes,
        max(closes) OVER (
            PARTITION BY what, identity, operation, workspace
            ORDER BY opens, closes
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reach
    FROM spans_and_any
),
numbered AS (
    SELECT
        what,
        identity,
        operation,
        workspace,
        opens,
        closes,
        sum(CASE WHEN reach >= opens THEN 0 ELSE 1 END) OVER (
            PARTITION BY what, identity, operation, workspace
            ORDER BY opens, closes
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS island
    FROM marked
),
busy AS (
    SELECT what, identity, operation, workspace, min(opens) AS opens, max(closes) AS closes
    FROM numbered
    GROUP BY what, identity, operation, workspace, island
),
-- Addresses as numbers: a network is the number that its addresses have in common. IPv6 is compared as text.
addresses AS (
    SELECT
        lower(split_part(address, '/', 1)) AS address,
        name,
        is_proxy,
        TRY_CAST(split_part(split_part(address, '/', 1), '.', 1) AS BIGINT) * 16777216
        + TRY_CAST(split_part(split_part(address, '/', 1), '.', 2) AS BIGINT) * 65536
        + TRY_CAST(split_part(split_part(address, '/', 1), '.', 3) AS BIGINT) * 256
        + TRY_CAST(split_part(split_part(address, '/', 1), '.', 4) AS BIGINT) AS number,
        pow(2, 32 - coalesce(TRY_CAST(nullif(split_part(address, '/', 2), '') AS INT), 32)) AS size
    FROM known_addresses
),
events AS (
    SELECT
        e.event_id,
        e.event_time,
        lower(coalesce(nullif(e.user_identity.email, ''), e.user_identity.subject_name)) AS identity,
        -- Events of the account have the number 0, and say the workspace elsewhere or not at all.
        coalesce(nullif(CAST(e.workspace_id AS STRING), '0'), e.request_params['workspace_id']) AS workspace,
        e.service_name,
        e.action_name,
        lower(nullif(e.source_ip_address, '')) AS address,
        TRY_CAST(split_part(e.source_ip_address, '.', 1) AS BIGINT) * 16777216
        + TRY_CAST(split_part(e.source_ip_address, '.', 2) AS BIGINT) * 65536
        + TRY_CAST(split_part(e.source_ip_address, '.', 3) AS BIGINT) * 256
        + TRY_CAST(split_part(e.source_ip_address, '.', 4) AS BIGINT) AS number,
        e.user_agent,
        e.response.status_code AS status_code,
        e.request_id
    FROM system_access_audit AS e
    INNER JOIN covered AS c ON e.event_time BETWEEN c.begins AND c.ends
),
governed AS (
    SELECT
        e.event_id,
        e.event_time,
        e.identity,
        e.workspace,
        e.service_name,
        e.action_name,
        e.address,
        e.number,
        e.user_agent,
        e.status_code,
        e.request_id
    FROM events AS e
    WHERE
        e.identity IN (SELECT identity FROM identities)
        AND NOT EXISTS (
            SELECT 1
            FROM operation_actions AS a
            WHERE
                a.kind = 'consequence' AND a.service_name = e.service_name AND a.action_name = e.action_name
        )
),
-- From where: the smallest network that is known of holds it.
placed AS (
    SELECT
        e.event_id,
        min_by(a.name, a.size) AS address_name,
        max(CASE WHEN a.is_proxy THEN 1 ELSE 0 END) AS from_proxy
    FROM governed AS e
    INNER JOIN addresses AS a
        ON a.address = e.address OR floor(a.number / a.size) = floor(e.number / a.size)
    GROUP BY e.event_id
),
-- Which of the identity's calls it may be.
matched AS (
    SELECT
        e.event_id,
        min(a.operation) AS operation,
        max(CASE WHEN b.what = 'sent' AND b.operation = '*' THEN 1 ELSE 0 END) AS any_sent,
        max(CASE WHEN b.what = 'sent' AND (a.operation IS NULL OR b.operation = a.operation) THEN 1 ELSE 0 END)
            AS such_sent,
        max(
            CASE
                WHEN b.what = 'refused' AND (a.operation IS NULL OR b.operation = a.operation) THEN 1 ELSE 0
            END
        ) AS refused
    FROM governed AS e
    LEFT JOIN operation_actions AS a ON a.service_name = e.service_name AND a.action_name = e.action_name
    LEFT JOIN busy AS b
        ON
            b.identity = e.identity
            AND b.operation IN ('*', a.operation)
            AND e.event_time BETWEEN b.opens AND b.closes
            AND (b.workspace = '*' OR e.workspace IS NULL OR b.workspace = e.workspace)
    GROUP BY e.event_id
)
SELECT
    CASE
        WHEN e.address IS NOT NULL AND coalesce(p.from_proxy, 0) = 0 THEN 'other_address'
        WHEN m.any_sent = 0 THEN 'no_call'
        ELSE 'no_such_call'
    END AS verdict,
    e.event_time,
    e.identity,
    e.service_name,
    e.action_name,
    m.operation,
    e.address,
    p.address_name,
    e.user_agent,
    e.workspace,
    e.status_code,
    m.refused = 1 AS refused_before,
    e.request_id,
    e.event_id
FROM governed AS e
INNER JOIN matched AS m ON m.event_id = e.event_id
LEFT JOIN placed AS p ON p.event_id = e.event_id
WHERE m.such_sent = 0 OR (e.address IS NOT NULL AND coalesce(p.from_proxy, 0) = 0)
ORDER BY e.event_time, e.event_id
