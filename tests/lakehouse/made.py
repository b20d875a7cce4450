"""The SQL in ``audit/sql/lakehouse/`` that follows from the records of ``event.yaml``: the log as a table of Databricks.

``PYTHONPATH=addon:tests python -m lakehouse.made`` writes those files anew; a test holds them against this, so that the
table cannot know fewer fields than the log has. Types are those that DuckDB reads by as well; what a field means is said
there too.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from brickscope.audit.event import COLUMNS, EVENTS
from brickscope.audit.lakehouse import literal
from brickscope.audit.queries import IS_BAD, query

FOLDER = Path(__file__).parents[2] / "addon" / "brickscope" / "audit" / "sql" / "lakehouse"
SOURCE = "/Volumes/main/audit/brickscope"
"""Where the files of the log lie, in the SQL as it is shipped."""
_TYPES = {
    "INTEGER": "INT",
    "BIGINT": "BIGINT",
    "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP",
    "VARCHAR": "STRING",
    # The text of a JSON value. It stays text: an object of any shape has no column type that every engine knows.
    "JSON": "STRING",
}
_BESIDE = (
    ("_corrupt_record", "STRING", "The whole line, where it is no record of this log."),
    (
        "_rescued_data",
        "STRING",
        "JSON of what the columns can't hold: fields of a later version, other types.",
    ),
    ("source_file", "STRING", "The file that the line came from."),
    ("loaded_at", "TIMESTAMP", "When it was loaded."),
)


class Column(NamedTuple):
    """A column as Spark's SQL writes it."""

    name: str
    type: str
    comment: str

    @property
    def quoted(self) -> str:
        """The name in SQL; ``schema``, ``time`` and ``grant`` are words of the language too."""
        return f"`{self.name}`"


def columns() -> list[Column]:
    """A column for each field of the log, with what ``event.yaml`` says of it and which events have it."""
    said: dict[str, str] = {}
    events: dict[str, list[str]] = {}
    for event, members in EVENTS.items():
        for name, member in members.items():
            events.setdefault(name, []).append(event)
            said[name] = said.get(name) or member.text
    made = []
    for name, kind in COLUMNS.items():
        where = "" if len(events[name]) == len(EVENTS) else f"Of {', '.join(events[name])}."
        made.append(Column(name, _TYPES[kind], " ".join(filter(None, (said[name], where)))))
    return made


def table_sql() -> str:
    """``table.sql``: the Delta table that the log's lines are loaded into."""
    lines = [f"  {column.quoted} {column.type}{_comment(column)}" for column in (*columns(), *_beside())]
    return f"""\
-- The table that the lines of the log are loaded into, as they are: nothing is changed or deleted in it.
--
-- Made from the log's schema by tests/lakehouse/made.py. Columns without a word of their own are explained
-- in docs/log.md. Run it once; docs/deploy/lakehouse_job.py then loads. Where SQL alone is to load, run stream.sql instead.
CREATE TABLE IF NOT EXISTS audit_lines (
{",\n".join(lines)}
)
USING DELTA
CLUSTER BY (`time`, `instance`)
COMMENT 'Lines of the Brickscope audit log, as they came. Query audit_records.'
TBLPROPERTIES ('delta.appendOnly' = 'true')
"""


def stream_sql() -> str:
    """``stream.sql``: the same table as a streaming table that loads itself."""
    schema = ", ".join(f"{column.quoted} {column.type}" for column in columns())
    return f"""\
-- The same table as a streaming table, for SQL warehouses: it loads each new file once, on the schedule given.
--
-- Made from the log's schema by tests/lakehouse/made.py. Change the path and the schedule.
CREATE OR REFRESH STREAMING TABLE audit_lines
SCHEDULE EVERY 1 HOUR
AS SELECT
  *,
  _metadata.file_path AS source_file,
  current_timestamp() AS loaded_at
FROM STREAM read_files(
  '{SOURCE}',
  format => 'json',
  fileNamePattern => '*.jsonl*',
  mode => 'PERMISSIVE',
  columnNameOfCorruptRecord => '_corrupt_record',
  rescuedDataColumn => '_rescued_data',
  schema => '{schema}, `_corrupt_record` STRING'
)
"""


def views_sql() -> str:
    """``views.sql``: what the queries beside this folder read, made of that table."""
    names = ",\n".join(f"  {_as_read(column)}" for column in columns())
    return f"""\
-- What the queries in the folder above read, made of audit_lines. Then they run as they are.
--
-- Made from the log's schema by tests/lakehouse/made.py.

-- Every record once, however often its file was loaded or its line shipped. Copies are told by their hash, so a record that
-- was changed stands beside the one that it claims to be, and conflicts.sql finds both. A line that is no record is a
-- row without event.
CREATE OR REPLACE VIEW audit_records AS
SELECT
{names},
  _corrupt_record,
  _rescued_data,
  source_file,
  loaded_at
FROM (
  SELECT
    *,
    {IS_BAD} AS is_bad,
    row_number() OVER (PARTITION BY instance, seq, hash ORDER BY loaded_at, source_file) AS copy
  FROM audit_lines
)
WHERE is_bad OR copy = 1;

-- The text is that of facts.sql.
CREATE OR REPLACE VIEW audit_facts AS
{_code(query("facts"))};
"""


def setup_sql() -> str:
    """``setup.sql``: what ``unused.sql`` and the bypass queries read beside the log."""
    return f"""\
-- What unused.sql and the bypass queries read beside the log. Run it once, then fill the tables:
-- `brickscope audit lakehouse policy --rules RULES` prints the statements for the first two.
--
-- Made by tests/lakehouse/made.py.

-- What the policy holds.
CREATE TABLE IF NOT EXISTS audit_policy (
  kind STRING,
  subject STRING,
  rule_set STRING,
  list STRING,
  rule STRING
);

-- Whom Databricks knows a subject of the policy as: an e-mail address, or the application id of a service principal.
CREATE TABLE IF NOT EXISTS governed_identities (
  subject STRING,
  identity STRING
);

-- Addresses as Databricks sees them: those of the proxies, and others that you can name. A single address, or an IPv4
-- network such as 10.20.0.0/16.
CREATE TABLE IF NOT EXISTS known_addresses (
  address STRING,
  name STRING,
  is_proxy BOOLEAN
);

-- Which workspace a host is. May be empty: then any workspace goes with any host.
CREATE TABLE IF NOT EXISTS workspaces (
  host STRING,
  workspace_id STRING
);

-- The events of Databricks itself. The window is what the bypass queries look at; event_date lets Databricks skip the rest.
CREATE OR REPLACE VIEW system_access_audit AS
SELECT * FROM system.access.audit
WHERE event_date >= current_date() - INTERVAL '30' DAY;

-- The text is that of operation_actions.sql.
CREATE OR REPLACE VIEW operation_actions AS
{_code(query("lakehouse/operation_actions"))}
"""


FILES = {
    "table.sql": table_sql,
    "stream.sql": stream_sql,
    "views.sql": views_sql,
    "setup.sql": setup_sql,
}


def _beside() -> list[Column]:
    return [Column(*each) for each in _BESIDE]


def _comment(column: Column) -> str:
    return f" COMMENT {literal(column.comment)}" if column.comment else ""


def _as_read(column: Column) -> str:
    if column.name in ("event", "time"):
        return f"CASE WHEN NOT is_bad THEN {column.quoted} END AS {column.quoted}"
    return column.quoted


def _code(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--"))


def write() -> None:
    """Write the files anew."""
    for name, make in FILES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    write()
