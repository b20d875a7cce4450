"""The client's side: what each client of Databricks reads of proxies and CAs, the settings for it, and the doctor."""
