"""Writing the audit log: what a record says, how records are chained, and the one place that writes it."""
