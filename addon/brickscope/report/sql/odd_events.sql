-- What a reviewer should look at: kinds of events, each with its words.
SELECT DISTINCT coalesce(kind, ''), CASE WHEN mode = 'monitor' THEN whose ELSE lower(title) END FROM report_events
WHERE kind <> 'mode_change' OR mode = 'monitor' ORDER BY ALL
