"""The clients of Databricks: what each reads of proxies and CAs, and the settings that lead all of them to the proxy."""
