-- Records that exist in more than one version: the same instance and number, but another hash.
--
-- Reads audit_records, in which copies of one record are one row. A proxy writes a number once, so each row here is a record
-- that was changed after it was written (or two machines that claim one instance). Which version is the true one, `brickscope
-- audit verify` says of the files. Runs unchanged on DuckDB and Spark SQL.
SELECT
    instance,
    seq,
    count(DISTINCT hash) AS versions,
    min(time) AS first_time,
    max(time) AS last_time
FROM audit_records
WHERE event IS NOT NULL
GROUP BY instance, seq
HAVING count(DISTINCT hash) > 1
ORDER BY instance, seq
