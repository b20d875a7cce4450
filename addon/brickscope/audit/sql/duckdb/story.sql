-- What is near a record: changes of the policy in its run, and calls of the same caller. In braces: what is shown of each, how
-- many, and whose calls. Of several runs the time decides, within one run the number: a clock may be set back. DuckDB only.
SELECT
    max_by(shown, seq, {most}) FILTER (of_policy AND seq < $seq) AS before,
    min_by(shown, seq, {most}) FILTER (of_policy AND seq > $seq) AS after,
    max_by(shown, place) FILTER (is_call AND place < here) AS previous,
    min_by(shown, place) FILTER (is_call AND place > here) AS next
FROM (
    SELECT seq, {shown} AS shown, row(time, instance, seq) AS place,
        row($time::TIMESTAMP, $instance::VARCHAR, $seq::BIGINT) AS here,
        event IN ('start', 'reload', 'mode_change') AND instance = $instance AS of_policy,
        event = 'decision' AND {same} AS is_call
    FROM records
)
