-- Records that are missing from the table: numbers that were never shipped or loaded, and neighbours whose hashes do not match.
--
-- Reads audit_records. Within an instance records are numbered 1, 2, 3 …, and each names the hash of the one before.
-- `missing`: numbers between two records that are there. `unlinked`: the numbers follow each other, and yet the second
-- names another hash, so one of the two is not what was written. What is missing at the end of an instance nobody
-- can see here; a `stop` and a checkpoint as its last records say that nothing is. Hashes are compared, not computed:
-- that is what `brickscope audit verify` does with the files. Runs unchanged on DuckDB and Spark SQL.
SELECT
    instance,
    CASE WHEN seq > coalesce(previous_seq, 0) + 1 THEN 'missing' ELSE 'unlinked' END AS fault,
    coalesce(previous_seq, 0) + 1 AS first_seq,
    CASE WHEN seq > coalesce(previous_seq, 0) + 1 THEN seq - 1 ELSE seq END AS last_seq,
    previous_time AS after_time,
    time AS before_time
FROM (
    SELECT
        instance,
        seq,
        time,
        prev_hash,
        lag(seq) OVER (PARTITION BY instance ORDER BY seq, hash) AS previous_seq,
        lag(hash) OVER (PARTITION BY instance ORDER BY seq, hash) AS previous_hash,
        lag(time) OVER (PARTITION BY instance ORDER BY seq, hash) AS previous_time
    FROM audit_records
    WHERE event IS NOT NULL
) AS r
WHERE seq > coalesce(previous_seq, 0) + 1 OR (seq = previous_seq + 1 AND prev_hash <> previous_hash)
ORDER BY instance, seq
