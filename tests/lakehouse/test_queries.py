"""The shared SQL over one log: by DuckDB from its files, and by Spark from a table that was loaded as on Databricks."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from audit.made_log import line, made_policy, made_records, placeholder_lines, write_log
from brickscope.audit.event import COLUMNS
from brickscope.audit.lakehouse import policy_sql
from brickscope.audit.queries import names, query
from brickscope.audit.reader import AuditLog
from brickscope.audit.usage import policy_rows
from lakehouse.engines import Duck, Spark, comparable
from lakehouse.made import FILES, FOLDER, columns

ROOT = Path(__file__).parents[2]
JOB = runpy.run_path(str(ROOT / "docs" / "deploy" / "lakehouse_job.py"))
NOT_SHARED = {"table", "stream", "views", "setup"}
OF_SYSTEM_TABLES = {"bypass", "bypass_surplus", "bypass_coverage"}
SHARED = sorted(set(names()) - NOT_SHARED - OF_SYSTEM_TABLES)
BAD = [b"no json at all\n", b"\n", b'{"schema":1,"time":"2026-11-02T00:00:00.000000Z","seq":"x"}\n', b"[1]\n"]


def statements(sql: str) -> Iterator[str]:
    """Spark runs one at a time."""
    code = re.sub(r"^\s*--.*$", "", sql, flags=re.M)
    yield from (each for each in code.split(";\n") if each.strip())


def without_delta(sql: str) -> str:
    """What only Databricks has is left out; a local Spark has no Delta."""
    return re.sub(r"USING DELTA\nCLUSTER BY .*", "USING parquet", sql)


def load(session: SparkSession, source: Path, checkpoint: Path) -> None:
    """What the job does, without Auto Loader and Delta."""

    def append(batch: DataFrame, _: int) -> None:
        batch.write.mode("append").format("parquet").saveAsTable("audit_lines")

    lines = JOB["read_lines"](session, str(source), session.table("audit_lines").schema, auto_loader=False)
    JOB["write_new"](lines, str(checkpoint)).foreachBatch(append).start().awaitTermination(100)
    session.catalog.refreshTable("audit_lines")


def make_tables(session: SparkSession) -> None:
    for name in ("audit_records", "audit_facts"):
        session.sql(f"DROP VIEW IF EXISTS {name}")
    for name in ("audit_lines", "audit_policy", "governed_identities", "known_addresses", "workspaces"):
        session.sql(f"DROP TABLE IF EXISTS {name}")
    session.sql(without_delta(query("lakehouse/table")))
    for statement in statements(query("lakehouse/views")):
        session.sql(statement)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two instances in files of all three kinds, with a few lines that are none."""
    folder = tmp_path_factory.mktemp("log")
    write_log(folder / "a", made_records(1500), each=500, compression=".gz")
    write_log(folder / "b", made_records(1500, seed=2), each=600, compression=".zst")
    with (folder / "b" / "audit.jsonl").open("ab") as file:
        file.writelines([*placeholder_lines(), *BAD])
    return folder


@pytest.fixture(scope="module")
def duck(folder: Path) -> Iterator[AuditLog]:
    with AuditLog([folder]) as log:
        log.make_facts()
        rows = [row._asdict() for row in policy_rows(made_policy())]
        log.make_table("audit_policy", dict.fromkeys(rows[0], "VARCHAR"), rows)
        yield log


@pytest.fixture(scope="module")
def lake(spark: SparkSession, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Spark:
    state = tmp_path_factory.mktemp("state")
    make_tables(spark)
    for statement in statements(query("lakehouse/setup")):
        if "system.access" not in statement:
            spark.sql(statement.replace("STRING\n)", "STRING\n) USING parquet"))
    load(spark, folder, state / "checkpoint")
    for statement in statements(policy_sql(made_policy())):
        if not statement.strip().startswith(("TRUNCATE", "DELETE")):
            spark.sql(statement)
    return Spark(spark, state)


class _Read(Duck):
    """An opened log as an engine."""

    def __init__(self, log: AuditLog) -> None:
        self.connection = log.connection


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SHARED)
def test_both_engines_give_the_same_answer(name: str, duck: AuditLog, lake: Spark) -> None:
    sql = query(names()[name])
    ours, theirs = _Read(duck).ask(sql), lake.ask(sql)
    assert comparable(theirs) == comparable(ours)
    assert ours or name in ("missing", "conflicts")
    if ours:
        assert list(ours[0]) == list(theirs[0])


@pytest.mark.timeout(300)
def test_loading_again_changes_nothing(lake: Spark, folder: Path, tmp_path: Path) -> None:
    before = lake.ask(query("lakehouse/missing")), lake.ask("SELECT count(*) AS n FROM audit_records")
    load(lake.session, folder, Path(lake._folder) / "checkpoint")
    assert lake.ask("SELECT count(*) AS n FROM audit_lines") == before[1]
    # The same files from another place, as a shipper that starts anew would bring them.
    load(lake.session, folder / "a", tmp_path / "checkpoint")
    assert lake.ask("SELECT count(*) AS n FROM audit_records") == before[1]
    assert lake.ask("SELECT count(*) AS n FROM audit_lines") != before[1]
    assert lake.ask(query("lakehouse/missing")) == before[0]


def tampered(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Number 7 to 9 gone, 20 changed beside its true version, 30 changed in its place."""
    first = records[0]["instance"]
    kept = [each for each in records if each["instance"] != first or each["seq"] not in (7, 8, 9, 30)]
    by_seq = {each["seq"]: each for each in records if each["instance"] == first}
    return [*kept, by_seq[20] | {"hash": "f" * 64}, by_seq[30] | {"hash": "e" * 64}]


@pytest.mark.timeout(300)
def test_both_see_what_is_missing_and_what_was_changed(spark: SparkSession, tmp_path: Path) -> None:
    records = list(made_records(300))
    (tmp_path / "audit.jsonl").write_bytes(b"".join(map(line, tampered(records))))
    make_tables(spark)
    load(spark, tmp_path, tmp_path / "checkpoint")
    with AuditLog([tmp_path / "audit.jsonl"]) as log:
        read, lake = _Read(log), Spark(spark, tmp_path)
        missing, conflicts = (read.ask(query(f"lakehouse/{name}")) for name in ("missing", "conflicts"))
        assert comparable(lake.ask(query("lakehouse/missing"))) == comparable(missing)
        assert comparable(lake.ask(query("lakehouse/conflicts"))) == comparable(conflicts)
    assert [(row["fault"], row["first_seq"], row["last_seq"]) for row in missing] == [
        ("missing", 7, 9),
        ("unlinked", 21, 21),
        ("unlinked", 31, 31),
    ]
    assert [(row["seq"], row["versions"]) for row in conflicts] == [(20, 2)]


# -- without Spark ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_those_that_the_schema_makes(name: str) -> None:
    """A field that is added to event.yaml has to reach the table: run ``python -m brickscope.audit.lakehouse``."""
    assert (FOLDER / name).read_text() == FILES[name]()


def test_every_field_is_a_column_with_a_word_on_it() -> None:
    made = columns()
    assert [column.name for column in made] == list(COLUMNS)
    assert all(column.comment for column in made if column.name != "event")


@pytest.mark.timeout(300)
def test_spark_can_parse_what_only_databricks_can_run(spark: SparkSession) -> None:
    parser = spark._jsparkSession.sessionState().sqlParser()
    stream = query("lakehouse/stream").replace("OR REFRESH ", "").replace("SCHEDULE EVERY 1 HOUR\n", "")
    for sql in (query("lakehouse/table"), stream, *statements(query("lakehouse/setup"))):
        parser.parsePlan(sql)
    with pytest.raises(Exception, match="PARSE_SYNTAX_ERROR"):
        parser.parsePlan(stream.replace("FROM STREAM", "FORM STREAM"))
