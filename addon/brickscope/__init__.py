"""Brickscope: a mitmproxy addon that gives any Databricks token the scope that Databricks cannot express."""

__version__ = "0.1.0"
