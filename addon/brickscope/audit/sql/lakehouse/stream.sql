-- The same table as a streaming table, for SQL warehouses: it loads each new file once, on the schedule given.
--
-- Made from the log's schema by tests/lakehouse/made.py. Change the path and the schedule.
CREATE OR REFRESH STREAMING TABLE audit_lines
SCHEDULE EVERY 1 HOUR
AS SELECT
  *,
  _metadata.file_path AS source_file,
  current_timestamp() AS loaded_at
FROM STREAM read_files(
  '/Volumes/main/audit/brickscope',
  format => 'json',
  fileNamePattern => '*.jsonl*',
  mode => 'PERMISSIVE',
  columnNameOfCorruptRecord => '_corrupt_record',
  rescuedDataColumn => '_rescued_data',
  schema => '`schema` INT, `time` TIMESTAMP, `seq` BIGINT, `instance` STRING, `event` STRING, `policy_revision` STRING, `prev_hash` STRING, `hash` STRING, `decision_id` STRING, `decision` STRING, `enforced` BOOLEAN, `mode` STRING, `reason` STRING, `detail` STRING, `subject` STRING, `fingerprint` STRING, `rule_set` STRING, `rule` STRING, `operation` STRING, `client_address` STRING, `server_address` STRING, `method` STRING, `path` STRING, `workspace` STRING, `host_workspace` STRING, `params` STRING, `param_names` STRING, `params_sent` STRING, `readings` STRING, `batch` STRING, `principal` STRING, `grant` STRING, `credential` STRING, `credential_fingerprint` STRING, `has_body` BOOLEAN, `user_agent` STRING, `server_port` INT, `status` INT, `request_bytes` BIGINT, `response_bytes` BIGINT, `duration_ms` DOUBLE, `error` STRING, `version` STRING, `engine` STRING, `versions` STRING, `scope_hosts` STRING, `scope_other_hosts` STRING, `fsync` STRING, `key_id` STRING, `public_key` STRING, `digest_key_id` STRING, `previous` STRING, `cut` BIGINT, `loaded` BOOLEAN, `previous_revision` STRING, `problems` STRING, `scope` STRING, `name` STRING, `previous_mode` STRING, `side` STRING, `cause` STRING, `seconds` DOUBLE, `url` STRING, `fetched` BOOLEAN, `key_ids` STRING, `bytes` BIGINT, `sha256` STRING, `denied` BIGINT, `lost` BIGINT, `since` TIMESTAMP, `file` STRING, `records` BIGINT, `signature` STRING, `_corrupt_record` STRING'
)
