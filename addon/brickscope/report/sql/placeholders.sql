-- Credentials that placeholders stand for
-- The client held a placeholder; an allowed call was sent with the credential of this name, of which the log has only the fingerprint.
SELECT
    credential AS "Credential",
    list_sort(list(DISTINCT subject) FILTER (subject IS NOT NULL))[:13] AS "Subjects | names",
    count(*) AS "Calls | n",
    count(*) FILTER (credential_fingerprint IS NOT NULL) AS "Exchanged | n | – | Sent with the real credential",
    count(*) FILTER (reason = 'placeholder_bypassed')
        AS "Bypassed | n | – | Denied: the client held the real credential instead of the placeholder, so it has left its store",
    list_sort(list(DISTINCT credential_fingerprint) FILTER (credential_fingerprint IS NOT NULL))[:13]
        AS "Fingerprint | names | never exchanged",
    min(time) AS "First call | when",
    max(time) AS "Last call | when"
FROM decisions
WHERE credential IS NOT NULL
GROUP BY credential
ORDER BY 3 DESC, 1
