"""DuckDB and a local Spark behind one face, so that a question can be put to both and the answers compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb
from pyspark.sql import SparkSession

Row = dict[str, Any]


class Engine(Protocol):
    """An engine with tables in it."""

    name: str

    def make(self, table: str, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
        """Make a table of rows. ``columns``: name to type, as Spark writes it."""

    def ask(self, sql: str) -> list[Row]:
        """The rows of an answer, their values comparable between engines."""


class Duck:
    """DuckDB. Types are written in Spark's words; DuckDB knows most of them, and the rest is translated."""

    name = "duckdb"
    _WORDS = {"STRUCT<": "STRUCT(", ">": ")", "MAP<": "MAP(", ": ": " "}

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.connection = duckdb.connect()

    def make(self, table: str, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
        file = _write(self._folder / f"{table}.jsonl", rows)
        kinds = ", ".join(f"'{name}': '{self._kind(kind)}'" for name, kind in columns.items())
        self.connection.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM "
            f"read_json('{file}', format='newline_delimited', columns={{{kinds}}})"
        )

    def ask(self, sql: str) -> list[Row]:
        result = self.connection.execute(sql)
        names = [str(column[0]) for column in result.description or ()]
        return [{n: _plain(v) for n, v in zip(names, row, strict=True)} for row in result.fetchall()]

    def _kind(self, kind: str) -> str:
        for theirs, ours in self._WORDS.items():
            kind = kind.replace(theirs, ours)
        return kind.replace("STRING", "VARCHAR")


class Spark:
    """A local Spark, as bare as Databricks' own is not: what runs here runs there, the other way round is not said."""

    name = "spark"

    def __init__(self, session: SparkSession, folder: Path) -> None:
        self._folder = folder
        self.session = session

    def make(self, table: str, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
        file = _write(self._folder / f"{table}.jsonl", rows)
        schema = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
        self.session.read.schema(schema).json(str(file)).createOrReplaceTempView(table)

    def ask(self, sql: str) -> list[Row]:
        from pyspark.sql import functions as f

        frame = self.session.sql(sql)
        for name, kind in frame.dtypes:
            if kind == "timestamp":
                # Collected as it is, it would be told in the time zone of this machine.
                frame = frame.withColumn(name, f.date_format(f.col(name), "yyyy-MM-dd HH:mm:ss.SSSSSS"))
        return [{name: _plain(value) for name, value in row.asDict().items()} for row in frame.collect()]


def start_spark(folder: Path) -> SparkSession:
    """A Spark of one thread that listens to nobody but this machine."""
    return (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "512m")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.log.level", "ERROR")
        # The tables are small: what Spark spends on planning for big ones is most of the time.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.adaptive.enabled", "false")
        .getOrCreate()
    )


def _write(file: Path, rows: Iterable[Row]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"
    if isinstance(value, Decimal):
        value = float(value)
    # Sums of floats depend on their order, which is each engine's own.
    return float(f"{value:.9g}") if isinstance(value, float) else value


def comparable(rows: Sequence[Row]) -> list[str]:
    """Rows as texts in an order that is the same for both: ties of ORDER BY are each engine's own."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
