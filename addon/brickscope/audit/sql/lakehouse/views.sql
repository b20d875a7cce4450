-- What the queries in the folder above read, made of audit_lines. Then they run as they are.
--
-- Made from the log's schema by `python -m brickscope.audit.lakehouse`.

-- Every record once, however often its file was loaded or its line shipped. Copies are told by their hash, so a record that
-- was changed stands beside the one that it claims to be, and conflicts.sql finds both. A line that is no record is a
-- row without event.
CREATE OR REPLACE VIEW audit_records AS
SELECT
  `schema`,
  CASE WHEN NOT is_bad THEN `time` END AS `time`,
  `seq`,
  `instance`,
  CASE WHEN NOT is_bad THEN `event` END AS `event`,
  `policy_revision`,
  `prev_hash`,
  `hash`,
  `decision_id`,
  `decision`,
  `enforced`,
  `mode`,
  `reason`,
  `detail`,
  `subject`,
  `fingerprint`,
  `rule_set`,
  `rule`,
  `operation`,
  `client_address`,
  `server_address`,
  `server_port`,
  `method`,
  `path`,
  `workspace`,
  `host_workspace`,
  `params`,
  `param_names`,
  `principal`,
  `grant`,
  `has_body`,
  `user_agent`,
  `status`,
  `request_bytes`,
  `response_bytes`,
  `duration_ms`,
  `error`,
  `version`,
  `engine`,
  `versions`,
  `scope_hosts`,
  `scope_other_hosts`,
  `fsync`,
  `key_id`,
  `public_key`,
  `digest_key_id`,
  `previous`,
  `loaded`,
  `previous_revision`,
  `problems`,
  `scope`,
  `name`,
  `previous_mode`,
  `side`,
  `url`,
  `fetched`,
  `key_ids`,
  `cut`,
  `cause`,
  `bytes`,
  `sha256`,
  `denied`,
  `lost`,
  `since`,
  `file`,
  `records`,
  `signature`,
  _corrupt_record,
  _rescued_data,
  source_file,
  loaded_at
FROM (
  SELECT
    *,
    time IS NULL OR time < TIMESTAMP '0001-01-01' OR time >= TIMESTAMP '10000-01-01' OR seq IS NULL OR instance IS NULL OR event IS NULL AS is_bad,
    row_number() OVER (PARTITION BY instance, seq, hash ORDER BY loaded_at, source_file) AS copy
  FROM audit_lines
)
WHERE is_bad OR copy = 1;

-- The text is that of facts.sql.
CREATE OR REPLACE VIEW audit_facts AS
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
    CASE WHEN event = 'outcome' THEN status END,
    CASE WHEN event = 'outcome' THEN error IS NOT NULL END;
