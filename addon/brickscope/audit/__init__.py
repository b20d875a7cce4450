"""Reading the audit log: its schema, verification, queries and exports."""
