-- Calls that were sent, and of outcomes: how many, how many interrupted, and bytes.
SELECT coalesce((SELECT sum(records - denied) FROM by_kind WHERE event = 'decision'), 0),
    coalesce(sum(records), 0), coalesce(sum(records) FILTER (broken), 0), sum(request_bytes), sum(response_bytes)
FROM by_status WHERE event = 'outcome'
