"""A Databricks job that loads the audit log's files into a table. One Python file as a task; nothing to install.

    lakehouse_job.py --source /Volumes/main/audit/brickscope --checkpoint /Volumes/main/audit/state \\
        --table main.audit.audit_lines

It loads what is new and ends, so run it on a schedule or when files arrive. The table is that of
``addon/brickscope/audit/sql/lakehouse/table.sql``; its columns are what the lines are read as. Each file is loaded once:
Auto Loader keeps the list of files it has seen under ``--checkpoint``. See docs/lakehouse.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.readwriter import DataStreamWriter
    from pyspark.sql.types import StructType

# Columns that are no fields of the log: what could not be read, and where the line came from.
CORRUPT, RESCUED, SOURCE_FILE, LOADED_AT = "_corrupt_record", "_rescued_data", "source_file", "loaded_at"
AUTO_LOADER = {
    "cloudFiles.format": "json",
    # The columns are given. A field of a later version goes to _rescued_data, and the load goes on.
    "cloudFiles.schemaEvolutionMode": "none",
    # A file that was uploaded again, longer, is read again; audit_records then drops the copies.
    "cloudFiles.allowOverwrites": "true",
    "rescuedDataColumn": RESCUED,
}
JSON = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": CORRUPT,
    "pathGlobFilter": "*.jsonl*",
    "recursiveFileLookup": "true",
}


def read_lines(spark: SparkSession, source: str, table: StructType, auto_loader: bool = True) -> DataFrame:
    """A stream of the lines of all files under ``source``, compressed ones too, as rows of ``table``.

    ``auto_loader``: false for Spark elsewhere than on Databricks; then nothing is rescued.
    """
    from pyspark.sql import functions as f
    from pyspark.sql.types import StructType

    fields = StructType([each for each in table if each.name not in (RESCUED, SOURCE_FILE, LOADED_AT)])
    reader = spark.readStream.schema(fields).options(**JSON)
    reader = reader.format("cloudFiles").options(**AUTO_LOADER) if auto_loader else reader.format("json")
    lines = reader.load(source).select("*", f.col("_metadata.file_path").alias(SOURCE_FILE))
    if not auto_loader:
        lines = lines.withColumn(RESCUED, f.lit(None).cast("string"))
    return lines.withColumn(LOADED_AT, f.current_timestamp()).select(*table.names)


def write_new(lines: DataFrame, checkpoint: str) -> DataStreamWriter:
    """A writer that takes what is there and ends."""
    return lines.writeStream.option("checkpointLocation", checkpoint).trigger(availableNow=True)


def main(words: Sequence[str] | None = None) -> None:
    """Load what is new, and end. Raises what Spark raises: a job that failed is started again, and goes on."""
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser(description="Load the Brickscope audit log into a table.")
    parser.add_argument("--source", required=True, help="folder of the log's files: a volume or a bucket")
    parser.add_argument("--table", required=True, help="the table of table.sql: catalog.schema.audit_lines")
    parser.add_argument("--checkpoint", required=True, help="folder for what was loaded; one for each source")
    asked = parser.parse_args(words)
    spark = SparkSession.builder.getOrCreate()
    lines = read_lines(spark, asked.source, spark.table(asked.table).schema)
    write_new(lines, asked.checkpoint).toTable(asked.table).awaitTermination()


if __name__ == "__main__":
    main()
