"""Databricks' operations: what each is called, by which calls it is reached, where its parameters sit, what it can do."""
