"""A workspace that is not Databricks: it answers like one, records all that reaches it, and misbehaves on demand."""
