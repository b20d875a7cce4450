-- Records that are neither calls nor tunnels, in words. They are few. `kind`: of what is drawn on the timeline, else null.
SELECT
    event, time, instance, seq, policy_revision, version, mode, fsync, side, cause, detail, client_address, server_address,
    url, fetched,
    CASE
        WHEN event = 'reload' AND NOT loaded THEN 'failed_reload'
        WHEN event IN ('start', 'stop', 'reload', 'mode_change', 'gap') THEN event
    END AS kind,
    CASE WHEN scope = 'proxy' THEN 'the whole proxy' ELSE concat(replace(scope, '_', ' '), ' ', name) END AS whose,
    CASE
        WHEN event = 'start' THEN concat('Proxy started in ', mode, ' mode')
        WHEN event = 'stop' THEN 'Proxy stopped'
        WHEN event = 'reload' AND loaded THEN 'Policy changed'
        WHEN event = 'reload' THEN 'Policy edit refused'
        WHEN event = 'mode_change' THEN concat('Mode of ', whose, ': ', coalesce(mode, 'inherited'))
        WHEN cause = 'torn_line' THEN 'A line is incomplete'
        WHEN cause = 'lost_tail' THEN 'The end of the log was lost'
        WHEN cause = 'write_failed' THEN 'The log could not be written'
        WHEN cause = 'file_replaced' THEN 'The log file was replaced'
        WHEN cause = 'retention' THEN 'A file was deleted by retention'
        ELSE 'Gap'
    END AS title,
    CASE
        WHEN event = 'start' THEN concat(
            'version ', version, ' on ', engine, '; governs ', array_to_string(scope_hosts->>'$[*]', ', '),
            '; other hosts: ', scope_other_hosts, '; fsync ', fsync
        )
        WHEN event = 'stop' THEN 'gracefully'
        WHEN event = 'reload' AND loaded THEN concat('from revision ', coalesce(previous_revision, 'none'), ', ', mode, ' mode')
        WHEN event = 'reload' THEN concat('the old policy stayed in force: ', array_to_string(problems->>'$[*]', ' / '))
        WHEN event = 'mode_change' THEN concat('before: ', coalesce(previous_mode, 'inherited'))
        ELSE concat_ws(
            '; ', detail, 'from ' || CAST(since AS VARCHAR) || ' on', denied || ' calls denied meanwhile, without a record of each',
            file
        )
    END AS details
FROM events
WHERE event <> 'checkpoint'
