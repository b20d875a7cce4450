"""The columns of the log as a table, by ``columns.yaml``: name to SQL type, in their order."""

from brickscope.shipped import table

COLUMNS: dict[str, str] = table(__package__, "columns.yaml")
