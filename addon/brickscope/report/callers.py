"""Who is new and who is gone: tokens, client addresses, subjects; callers that the policy did not name; other connections.

New can only be told against an earlier part of the log (``--since``); without one it is only told when each was first seen.
Callers without a subject are not compared: anybody can make up tokens, as many as they like.
"""

from dataclasses import replace

from .block import Point, Section, Text
from .counts import Given, sql
from .text import counted, moment, names


def tokens_section(given: Given) -> Section:
    """Tokens that were used, credentials behind placeholders, subjects that call no more, and callers that are nobody's."""
    counts, days = given.counts, counted(given.stale.days, "day")
    if given.compared_from is not None:
        intro = f"New is what was not seen from {moment(given.compared_from)} until the period began."
    else:
        intro = (
            "The log has no calls from before this period, so it can't show what is new; the tables say "
            "when each was first seen. With --since, the time before it is what the period is compared with."
        )
    stale = counts.table(
        "stale", until=given.end, border=given.end - given.stale, asked=given.loaded is not None
    )
    points = _new(given, "credentials", "Token", "new token", "new tokens")
    if stale.rows:
        gone = names(row[0] for row in stale.rows)
        points.append(Point("note", f"{counted(stale.total, 'subject')} without a call in {days}: {gone}."))
    caption = f"Subjects without a call in the {days} before {moment(given.end)}"
    hint = "" if given.loaded else "Without a policy, only subjects that made calls are known."
    held = counts.table("placeholders")
    if shown := [row["Credential"] for row in held.records() if row["Bypassed"]]:
        text = f"The credential {names(shown)} was used instead of its placeholder: it has left its store."
        points.append(Point("serious", text))
    blocks = (
        Text(intro),
        counts.table("credentials", compared=given.compared_from is not None),
        held,
        replace(stale, caption=caption, hint=hint),
        counts.table("strangers"),
    )
    return Section("tokens", "Tokens", "Tokens: new, stale, unknown", blocks, points)


def clients_section(given: Given) -> Section:
    """Addresses that subjects called from."""
    points = _new(given, "clients", "Client | name | not known", "new client address", "new client addresses")
    table = given.counts.table("clients", compared=given.compared_from is not None)
    return Section("clients", "Clients", "Client addresses", (table,), points)


def _new(given: Given, table: str, column: str, one: str, many: str) -> list[Point]:
    """What has a word beside it in a column of a table."""
    found = given.counts.ask(
        f'SELECT "Subject" FROM ({sql(table)}) WHERE "{column}".badge IS NOT NULL',  # noqa: S608 - ours
        compared=given.compared_from is not None,
    )
    return (
        [Point("look", f"{counted(len(found), one, many)}, of {names(row[0] for row in found)}.")]
        if found
        else []
    )


def connections_section(given: Given) -> Section:
    """What passed beside the calls: hosts, tunnels to other hosts, failed TLS handshakes, fetched keys."""
    ((failed,),) = given.counts.ask("SELECT count(*) FROM report_events WHERE event = 'tls_refused'")
    text = f"{counted(failed, 'TLS handshake')} failed: clients that do not trust the proxy, or servers it does not."
    tables = [given.counts.table(name) for name in ("hosts", "handshakes", "keys")]
    points = [Point("note", text)] if failed else []
    return Section("connections", "Connections", "Hosts and connections", tables, points)
