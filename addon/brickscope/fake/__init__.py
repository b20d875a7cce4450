"""A workspace that is not Databricks: for the demonstration and the tests. The proxy never imports it."""
