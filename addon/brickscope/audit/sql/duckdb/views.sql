-- What is asked of a log, beside `records`. DuckDB only.

-- Who a caller is, named by the policy or not: the verified claims of its OAuth token (JSON), else the fingerprint, else
-- nothing.
CREATE TEMP MACRO known_by(fingerprint, principal) AS coalesce(nullif(concat_ws(
    ' ', coalesce('object ' || (principal->>'object_id') || ' of tenant ' || (principal->>'tenant'), principal->>'sub'),
    'by client ' || nullif(principal->>'client_id', coalesce(principal->>'sub', ''))
), ''), fingerprint, '');

CREATE TEMP VIEW decisions AS
SELECT *, decision = 'allow' OR NOT enforced AS sent FROM records WHERE event = 'decision';
CREATE TEMP VIEW outcomes AS SELECT * FROM records WHERE event = 'outcome';
CREATE TEMP VIEW tunnels AS
SELECT *, decision = 'allow' OR NOT enforced AS sent FROM records WHERE event = 'tunnel';
CREATE TEMP VIEW reloads AS SELECT * FROM records WHERE event IN ('reload', 'mode_change');
CREATE TEMP VIEW events AS SELECT * FROM records WHERE event NOT IN ('decision', 'outcome', 'tunnel');
