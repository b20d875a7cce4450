"""Who did what, what was called, and how it ended."""

from brickscope.catalog.catalog import Operation, load_catalog

from .block import Cell, Point, Section, Text
from .counts import Given, change, sql
from .text import counted, names, share, size

GRAVE = {
    "secret": "return{s} or create{s} credentials, secrets or signed links",
    "grant": "change{s} who may act or from where",
}
"""Classes of operations whose calls are pointed out even where a rule allows them, and what those do (``doing``)."""


def doing(power: str, calls: int) -> str:
    """What so many calls do: ``runs code`` of one, ``run code`` of more."""
    return power.format(s="s" if calls == 1 else "")


def subjects_section(given: Given) -> Section:
    """The busiest subjects, and what each of them called."""
    table, grid = given.counts.table("subjects", "brickscope audit summary has all."), given.grid
    series: dict[str | None, list[int]] = {row[0]: [0] * grid.count for row in table.rows}
    for name, step, calls in given.counts.ask(
        f"SELECT subject, {grid.sql('moment')}, sum(records) FROM by_time WHERE event = 'decision' GROUP BY ALL"  # noqa: S608
    ):
        if name in series:
            series[name][step] = int(calls)
    blocks = (change(table, "Over time", series.values()), given.counts.table("pairs"))
    return Section("subjects", "Who did what", "Who did what", blocks)


def operations_section(given: Given) -> Section:
    """The operations that were called most, with what they can do."""
    table, find = given.counts.table("operations"), load_catalog().find
    known: list[Operation | None] = [find(row[0]) if row[0] is not None else None for row in table.rows]
    risks = [(each.risk,) if each and each.risk else () for each in known]
    went_on: dict[str, dict[str, int]] = {}
    for operation, (name, _, calls, denied, *_) in zip(known, table.rows, strict=True):
        if operation and operation.kind in GRAVE and calls > denied:
            went_on.setdefault(operation.kind, {})[name] = int(calls - denied)
    points = [
        Point("look", f"{counted(calls, 'call')} sent that {doing(GRAVE[kind], calls)}: {names(found)}.")
        for kind, found in went_on.items()
        for calls in (sum(found.values()),)
    ]
    cells = [Cell(row[0], risk) for row, risk in zip(table.rows, risks, strict=True)]
    table = change(table, "Class", [each and each.kind for each in known])
    models = [each.name for each in load_catalog().operations.values() if _calls_a_model(each)]
    blocks = (change(table, "Operation", cells), given.counts.table("models", calls=models))
    return Section("operations", "What was called", "What was called", blocks, points)


def _calls_a_model(operation: Operation) -> bool:
    """Whether it calls a model, or a tool of a tool server."""
    named = operation.name.startswith(("gateway.", "serving.", "mcp."))
    return operation.kind == "execute" and (named or operation.name == "serving_endpoints.query")


def outcomes_section(given: Given) -> Section:
    """How calls that were sent have ended: answers, bytes, what broke."""
    ((sent, ended, broken, uploaded, received),) = given.counts.ask(sql("sent"))
    said = [f"{counted(sent, 'call')} sent; {counted(ended, 'outcome')} in the log."]
    if sent > ended:  # at least: outcomes of calls from before the period are counted as well
        said.append(f"At least {counted(sent - ended, 'call')} had no end in this period.")
    said += [f"{size(uploaded or 0)} went to Databricks, {size(received or 0)} came back."] if ended else []
    text = f"{counted(broken, 'call')} were interrupted ({share(broken, ended)} of those that ended)."
    points = [Point("note", text)] if broken else []
    blocks = (Text(" ".join(said)), given.counts.table("endings"))
    return Section("outcomes", "How calls ended", "How calls ended", blocks, points)
